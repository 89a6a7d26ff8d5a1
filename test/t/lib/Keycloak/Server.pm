# SPDX-License-Identifier: Apache-2.0
# An httpd of a test's own, whose children it may kill: Keycloak::Server->new(NAME, mpm => 'event', lines => [...]). With
# "memory" it has so many KiB of addresses; with "ends" it is waited for until it has refused to start. With
# "nameless" it has no ServerName; with "is_off" it has the module, but no KeycloakIssuer; places: lines behind the <Location /> that is guarded. Lines may name
# its port as ${PORT}.
package Keycloak::Server;
use strict;
use warnings;
use IO::Socket::INET;
use Keycloak::Ports;
use Keycloak::Response;
use POSIX ();
use Time::HiRes qw(sleep time);

use constant PATIENCE => 120;   # seconds to start, and to end
use constant CHILDREN => 4;

my %processes = (
    event   => 'ServerLimit 4, MaxRequestWorkers 32, ThreadsPerChild 8, MinSpareThreads 32, MaxSpareThreads 32',
    worker  => 'ServerLimit 4, MaxRequestWorkers 32, ThreadsPerChild 8, MinSpareThreads 32, MaxSpareThreads 32',
    prefork => 'ServerLimit 4, MaxRequestWorkers 4, MinSpareServers 4, MaxSpareServers 4',
);

sub new {
    my ($class, $name, %options) = @_;
    my $room = "$ENV{KC_ROOM}/$name";
    my $mpm = $options{mpm} || 'event';
    my $self = bless { name => $name, room => $room, port => free_ports(1) }, $class;
    mkdir $room;
    open my $file, '>', "$room/httpd.conf" or die "$room: $!\n";
    print $file map { "$_\n" } "ServerRoot $room", "DefaultRuntimeDir $room", "PidFile $room/pid", "ErrorLog $room/error_log",
        'LogLevel info', $options{nameless} ? () : "ServerName $name.test", "Define PORT $self->{port}", "Listen 127.0.0.1:$self->{port}", 'StartServers ' . CHILDREN,
        (map { "LoadModule ${_}_module $ENV{KC_MODULES}/mod_$_.so" } "mpm_$mpm",
            qw(authn_core authz_core authz_user proxy proxy_http)),
        "LoadModule auth_keycloak_module $ENV{KC_BUILD}/mod_auth_keycloak.so", split(/, /, $processes{$mpm}),
        $options{is_off} ? () : module_on($name), @{ $options{lines} || [] },
        $options{is_off} ? () : ('<Location />', 'AuthType Keycloak', 'Require valid-user', '</Location>'), @{ $options{places} || [] },
        'ProxyPreserveHost On', "ProxyPass / http://127.0.0.1:$ENV{KC_BACKEND_PORT}/";
    close $file or die "$room: $!\n";
    $self->{command} = [$ENV{KC_HTTPD}, '-D', 'FOREGROUND', '-f', "$room/httpd.conf"];
    unshift @{ $self->{command} }, 'sh', '-c', "ulimit -v $options{memory} && exec \"\$@\"", 'sh' if $options{memory};
    return $options{ends} ? $self->_run_to_its_end : $self->start;
}

sub _fork {
    my $self = shift;
    $self->{pid} = fork // die "fork: $!\n";
    return if $self->{pid};
    POSIX::setsid();    # prefork ends its children by a signal to the whole group
    exec @{ $self->{command} } or exit 1;
}

# Starts it; after a stop, again.
sub start {
    my $self = shift;
    $self->_fork;
    $self->_until(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}) }, 'does not listen');
    return $self;
}

sub _run_to_its_end {
    my $self = shift;
    $self->_fork;
    $self->_until_its_end;
    return $self;
}

sub _until_its_end {
    my $self = shift;
    $self->_until(sub { waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid} }, 'does not end');
    $self->{status} = $?;
    delete $self->{pid};
    return;
}

# The exit status of one that has refused to start.
sub status { return shift->{status} }

# Changes a line of its configuration, for the next start or restart.
sub change {
    my ($self, $from, $to) = @_;
    my $path = "$self->{room}/httpd.conf";
    open my $file, '<', $path or die "$path: $!\n";
    my $text = do { local $/; <$file> };
    $text =~ s/^$from$/$to/m or die "no line $from in $path\n";
    open $file, '>', $path or die "$path: $!\n";
    print $file $text;
    close $file or die "$path: $!\n";
    return;
}

# The lines that the module is on by, with a realm.
sub module_on {
    my $name = shift;
    return "KeycloakIssuer $ENV{KC_PROVIDER}/realms/$name", 'KeycloakClientID app',
        'KeycloakClientSecret canary-client-secret-5d1e', "KeycloakCryptoKey file:$ENV{KC_ROOM}/crypto.key";
}

sub port { return shift->{port} }

sub _until {
    my ($self, $condition, $what) = @_;
    my $end = time + PATIENCE;
    while (time < $end) {
        return if $condition->();
        sleep 0.05;
    }
    die "httpd $self->{name} $what; see $self->{room}/error_log\n";
}

sub children {
    my $self = shift;
    open my $file, '<', "/proc/$self->{pid}/task/$self->{pid}/children" or return;
    return split ' ', <$file> // '';
}

# Waits until all its children are there.
sub until_all {
    my $self = shift;
    $self->_until(sub { $self->children >= CHILDREN }, 'does not have all children');
    return;
}

# Kills each child, one after the other, and waits for those that come in their place.
sub replace_children {
    my $self = shift;
    my %old = map { $_ => 1 } $self->children;
    for my $pid (keys %old) {
        kill 'KILL', $pid;
        $self->_until(sub { my %now = map { $_ => 1 } $self->children; !$now{$pid} && keys %now >= CHILDREN }, 'makes no new child');
    }
    return;
}

# A graceful restart, whose children are all there. Those of before are gone, and take no request any more; with "lingers" they
# may have requests that go on.
sub restart {
    my ($self, %options) = @_;
    my $before = () = $self->log =~ /resuming normal operations/g;
    my %old = map { $_ => 1 } $self->children;
    kill 'USR1', $self->{pid};
    $self->_until(sub { (my $now = () = $self->log =~ /resuming normal operations/g) > $before && $self->children >= CHILDREN },
        'does not restart');
    $self->_until(sub { !grep { $old{$_} } $self->children }, 'keeps its former children') if !$options{lingers};
    return;
}

sub log { return shift->_text('error_log') }

# What a CustomLog of the test's has in its room.
sub access_log { return shift->_text('access_log') }

sub _text {
    my ($self, $name) = @_;
    open my $file, '<', "$self->{room}/$name" or return '';
    local $/;
    return <$file> // '';
}

# COUNT requests for a page at once, each on a connection of its own: the answers.
sub storm {
    my ($self, $count) = @_;
    my @sockets = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}) or die "connect: $!\n" } 1 .. $count;
    for my $socket (@sockets) {
        print $socket "GET /page HTTP/1.1\r\nHost: $self->{name}.test:$self->{port}\r\nAccept: text/html\r\nConnection: close\r\n\r\n";
        $socket->flush;
    }
    local $/;
    my @answers;
    while (my $socket = shift @sockets) {
        push @answers, Keycloak::Response->new(scalar <$socket> // '');
        close $socket;    # the server lingers for it
    }
    return @answers;
}

# Lets each child end by itself. When it is told to end at once, mpm_event closes the sockets of connections whose pools its
# threads are about to free, and then a child crashes now and then, in httpd's own code.
sub end {
    my $self = shift;
    return if !$self->{pid};
    kill 'WINCH', $self->{pid};
    $self->_until_its_end;
    return;
}

# Ends it: the seconds that it took.
sub stop {
    my $self = shift;
    my $pid = delete $self->{pid} or return;
    my $began = time;
    kill 'TERM', $pid;
    waitpid $pid, 0;
    return time - $began;
}

sub DESTROY { my $self = shift; local $?; $self->stop; return }

1;
