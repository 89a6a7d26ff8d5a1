# SPDX-License-Identifier: Apache-2.0
# What stands around httpd during the tests: ports, certificates, provider, backend, memcached.
package Keycloak::Room;
use strict;
use warnings;
use Cwd qw(getcwd);
use Digest::SHA qw(sha256_hex);
use IO::Socket::INET;
use JSON::PP qw(decode_json);
use Keycloak::Ports;
use POSIX ();
use Time::HiRes qw(sleep time);

use constant PATIENCE => 120;   # seconds that a part may take to start

sub new { return bless { processes => {} }, shift }

sub furnish {
    my $self = shift;
    my $room = $ENV{KC_ROOM} = getcwd();
    @ENV{map { "KC_${_}_PORT" } qw(HTTPS PROVIDER PROVIDER_TLS BACKEND MEMCACHED CLOSED)} = free_ports(6);
    ($ENV{KC_PORT}) = free_ports(1);
    $ENV{KC_PROVIDER} = "http://127.0.0.1:$ENV{KC_PROVIDER_PORT}";
    $ENV{KC_TLS_PROVIDER} = "https://127.0.0.1:$ENV{KC_PROVIDER_TLS_PORT}";
    # The certificate does not have this name.
    $ENV{KC_TLS_PROVIDER_MISNAMED} = "https://localhost:$ENV{KC_PROVIDER_TLS_PORT}";

    mkdir "$room/$_" for qw(t/logs);
    _write("$room/crypto.key", sha256_hex(rand() . time() . $$) . "\n", 0600);
    # All that is inherited in place of the system's configuration.
    _write("$room/t/conf/inherited.conf", "LoadModule mpm_event_module $ENV{KC_MODULES}/mod_mpm_event.so\n");
    _write("$room/t/conf/cold.conf", _cold_sites("$room/t/conf/realms.json"));
    $self->_certificates($room);
    $self->_start(provider => '/usr/bin/python3', "$room/provider/provider.py",
        '--port', $ENV{KC_PROVIDER_PORT}, '--tls-port', $ENV{KC_PROVIDER_TLS_PORT},
        '--cert', "$room/server.pem", '--key', "$room/server.key", '--client-ca', "$room/ca.pem",
        '--presets', "$room/t/conf/realms.json");
    $self->_start(backend => '/usr/bin/python3', "$room/provider/backend.py", '--port', $ENV{KC_BACKEND_PORT});
    $self->_start(memcached => 'memcached', '-l', '127.0.0.1', '-p', $ENV{KC_MEMCACHED_PORT}, '-U', 0);
    _wait_for_port(@$_) for [provider => $ENV{KC_PROVIDER_PORT}], [provider => $ENV{KC_PROVIDER_TLS_PORT}],
        [backend => $ENV{KC_BACKEND_PORT}], [memcached => $ENV{KC_MEMCACHED_PORT}];
    return;
}

sub _write {
    my ($path, $text, $mode) = @_;
    open my $file, '>', $path or die "$path: $!\n";
    chmod $mode, $path if $mode;
    print $file $text;
    close $file or die "$path: $!\n";
    return;
}

# A virtual host for each realm of realms.json, where everything that is odd about it is told.
sub _cold_sites {
    my $path = shift;
    open my $file, '<', $path or die "$path: $!\n";
    my $rows = decode_json(do { local $/; <$file> });
    my $text = '';
    for my $name (sort keys %$rows) {
        my $row = $rows->{$name};
        next if $row->{has_site};
        my $macro = ($row->{scheme} || 'http') eq 'https' ? 'TlsSite' : 'Site';
        $text .= join "\n    ", "<VirtualHost *:\${KC_PORT}>", "Use $macro $name", @{ $row->{site} || [] };
        $text .= "\n</VirtualHost>\n";
    }
    return $text;
}

# An authority, a server's certificate that it signed, and a client's.
sub _certificates {
    my ($self, $room) = @_;
    my @key = qw(-newkey rsa:2048 -nodes -sha256 -days 2);
    my $run = sub {
        my $log = "$room/openssl.log";
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            open STDOUT, '>', $log or exit 1;
            open STDERR, '>&', \*STDOUT or exit 1;
            exec 'openssl', @_ or exit 1;
        }
        waitpid $pid, 0;
        die "openssl @_ failed, see $log\n" if $?;
    };
    $run->('req', '-x509', @key, '-keyout', "$room/ca.key", '-out', "$room/ca.pem", '-subj', '/CN=Test CA');
    my %names = (
        server => ['/CN=server', 'IP:127.0.0.1,DNS:secure.test,DNS:*.secure-domain.test'],
        client => ['/CN=app', 'DNS:app'],
    );
    for my $name (sort keys %names) {
        my ($subject, $alternatives) = @{ $names{$name} };
        $run->('req', @key[0 .. 3], '-keyout', "$room/$name.key", '-out', "$room/$name.csr", '-subj', $subject);
        _write("$room/$name.ext", "subjectAltName=$alternatives\n");
        $run->('x509', '-req', '-in', "$room/$name.csr", '-CA', "$room/ca.pem", '-CAkey', "$room/ca.key",
            '-CAcreateserial', '-days', 2, '-sha256', '-extfile', "$room/$name.ext", '-out', "$room/$name.pem");
    }
    $run->('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', "$room/client-jwt.key");
    $run->('pkey', '-in', "$room/client-jwt.key", '-pubout', '-out', "$room/client-jwt.pub");
    chmod 0600, glob "$room/*.key";
    _write("$room/client-jwk.json", _jwk("$room/client-jwt.key"), 0600);
    return;
}

# A private key in PEM as JWK.
sub _jwk {
    my $path = shift;
    my $program = 'import sys; from jwcrypto.jwk import JWK; '
        . 'print(JWK.from_pem(open(sys.argv[1], "rb").read()).export())';
    open my $pipe, '-|', '/usr/bin/python3', '-c', $program, $path or die "python3: $!\n";
    my $text = do { local $/; <$pipe> };
    close $pipe or die "jwcrypto does not read $path\n";
    return $text;
}

sub _start {
    my ($self, $name, @command) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDOUT, '>', "$ENV{KC_ROOM}/t/logs/$name.log" or exit 1;
        open STDERR, '>&', \*STDOUT or exit 1;
        exec @command or exit 1;
    }
    $self->{processes}{$name} = $pid;
    return;
}

sub _wait_for_port {
    my ($name, $port) = @_;
    my $end = time + PATIENCE;
    while (time < $end) {
        return if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
        sleep 0.05;
    }
    die "$name does not listen on its port; see $ENV{KC_ROOM}/t/logs/$name.log\n";
}

# Runs the suite in a process of its own; its exit status.
sub run {
    my ($self, $suite) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        $self->{processes} = {};
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $suite->();
        POSIX::_exit(0);
    }
    $self->{processes}{suite} = $pid;
    waitpid $pid, 0;
    delete $self->{processes}{suite};
    return $? ? 1 : 0;
}

sub leave {
    my $self = shift;
    if (open my $file, '<', "$ENV{KC_ROOM}/t/logs/httpd.pid") {
        my $pid = <$file>;
        kill 'TERM', $1 if ($pid // '') =~ /^(\d+)$/;
    }
    my %processes = %{ $self->{processes} };
    $self->{processes} = {};
    kill 'TERM', values %processes;
    waitpid $_, 0 for values %processes;
    return;
}

# Apache::TestRun with TAP::Harness's sums.
package Keycloak::Suite;
use strict;
use warnings;
use Apache::TestRun;
use TAP::Harness;
our @ISA = ('Apache::TestRun');

sub run_tests {
    my $self = shift;
    my $harness = TAP::Harness->new({
        verbosity => 0, failures => 1, lib => ["$ENV{KC_ROOM}/t/lib"], jobs => $ENV{KC_JOBS} || 1,
        color => 0, timer => 1,
    });
    chdir $ENV{KC_ROOM} or die "$ENV{KC_ROOM}: $!\n";
    my $sums = $harness->runtests(@{ $self->{tests} });
    my $failed = $sums->failed;
    # A file that died or stopped early counts once, beside the tests that it failed by name.
    for my $parser ($sums->parsers($sums->descriptions)) {
        $failed++ if !$parser->failed && ($parser->exit || $parser->wait || $parser->parse_errors);
    }
    my $passed = $sums->passed;
    open my $file, '>', "$ENV{KC_ROOM}/summary" or die "summary: $!\n";
    print $file "$passed passed, $failed failed\n";
    close $file or die "summary: $!\n";
    $self->stop;
    POSIX::_exit($failed || !$passed ? 1 : 0);
}

1;
