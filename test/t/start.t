# SPDX-License-Identifier: Apache-2.0
# What httpd logs when it starts, with which settings it refuses to start, and what sessions survive.
use strict;
use warnings;
use Test::More;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Keycloak::Expect;
use Keycloak::Ports;
use Keycloak::Server;
use Keycloak::World;

my @processes;
END { local $?; kill 'TERM', @processes; waitpid $_, 0 for @processes }
my $memcached = "127.0.0.1:$ENV{KC_MEMCACHED_PORT}";

# start(NAME, LINE ...): an httpd, whose port browsers use from now on.
sub start {
    my ($name, @lines) = @_;
    my $server = Keycloak::Server->new($name, lines => \@lines);
    $ENV{KC_PORT} = $server->port;
    return $server;
}

sub is_in { my $browser = shift; return $browser->get('/x')->from_backend ? 1 : 0 }

# says(SERVER, LINE): its log has it, or will.
sub says { my ($server, $line, $name) = @_; return ok wait_until(sub { $server->log =~ $line }), $name || diag $server->log }

# A memcached on that port.
sub memcached {
    my $port = shift;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) { exec 'memcached', '-l', '127.0.0.1', '-p', $port, '-U', 0 or POSIX::_exit(1) }
    push @processes, $pid;
    return $port;
}

# Instead of the key that Keycloak::Server gives.
sub without_key { my $server = shift; $server->change('KeycloakCryptoKey .*', ''); $server->stop; $server->start; return }

# ---- keys and memory

subtest 'a host without KeycloakCryptoKey' => sub {
    my $server = start('start-keyless');
    without_key($server);
    my $line = qr/\[auth_keycloak:warn\].*KC0621: KeycloakCryptoKey is not set for start-keyless\.test: its sessions are lost at a full restart$/m;
    my $browser = signed_in('start-keyless') or return fail 'signing in';
    is scalar(() = $server->log =~ /$line/g), 1, 'a warning' or diag $server->log;
    $server->restart;
    is is_in($browser), 1, 'a session outlives a graceful restart';
    $server->stop;
    $server->start;
    ok asked_to_sign_in($browser->get('/x'), 'start-keyless'), 'and no full one';
    ok signed_in('start-keyless'), 'after which one can sign in anew';
};

subtest 'a host without it, whose sessions are in memcached' => sub {
    my $server = start('start-nodes', "KeycloakMemcached $memcached");
    without_key($server);
    says($server, qr/\[auth_keycloak:warn\].*KC0621: KeycloakCryptoKey is not set .*, and no other node can read them in memcached$/m, 'a warning');
    ok signed_in('start-nodes'), 'one can sign in';
};

subtest 'KeycloakCacheSize and a graceful restart' => sub {
    my $server = start('start-size', 'KeycloakCacheSize 2M');
    my $browser = signed_in('start-size') or return fail 'signing in';
    $server->restart;
    is is_in($browser), 1, 'of the same size: the session goes on';
    unlike $server->log, qr/KeycloakCacheSize changed/, 'nothing is said';
    $server->change('KeycloakCacheSize 2M', 'KeycloakCacheSize 3M');
    $server->restart;
    ok asked_to_sign_in($browser->get('/x'), 'start-size'), 'of another: it is lost';
    like $server->log, qr/\[auth_keycloak:warn\].*KC0614: KeycloakCacheSize changed: sessions in shared memory are lost$/m, 'and the log says so';
    ok signed_in('start-size'), 'one can sign in anew';
};

subtest 'memory that cannot be had' => sub {
    my $server = Keycloak::Server->new('start-large', lines => ['KeycloakCacheSize 60G'], memory => 30 << 20, ends => 1);
    isnt $server->status, 0, 'httpd does not start';
    like $server->log, qr/\[auth_keycloak:emerg\].*KC\d{4}: .*memory/, 'and says why' or diag $server->log;
};

subtest 'more sessions than there is room for' => sub {
    my $server = start('start-full', 'KeycloakCacheSize 1M');
    my $browser = signed_in('start-full') or return fail 'signing in';
    my $full = qr/\[auth_keycloak:warn\].*KC\d{4}: KeycloakCacheSize is too small: \d+ sessions and entries that were still valid had to make room for newer ones; raise it, or/;
    my $realm = realm('start-full');
    my $count = 0;
    while ($server->log !~ $full && $count++ < 2000) {
        my @groups = map { join '', map { ('a' .. 'z', 0 .. 9)[rand 36] } 1 .. 80 } 1 .. 60;
        $realm->set(user => { groups => \@groups });
        signed_in('start-full') or last;
    }
    like $server->log, $full, "the log says so, after $count" or diag $server->log;
    unlike $server->log, qr/exit signal/, 'no child crashed';
    ok signed_in('start-full'), 'one can sign in all the same';
};

# ---- the store

# A relay to memcached that sets its clock ahead.
sub relay {
    my ($ahead, $port) = @_;
    my $listening = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1', LocalPort => 0, ReuseAddr => 1) or die "no port: $!\n";
    my $pid = fork // die "fork: $!\n";
    if ($pid) { push @processes, $pid; return $listening->sockport }
    $SIG{TERM} = sub { POSIX::_exit(0) };
    my $select = IO::Select->new($listening);
    my %other;
    while (1) {
        for my $socket ($select->can_read) {
            if ($socket == $listening) {
                my $client = $listening->accept or next;
                my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or next;
                @other{$client, $server} = ($server, $client);
                $select->add($client, $server);
                next;
            }
            next if !$other{$socket};    # closed with its peer
            if (sysread $socket, my $text, 1 << 20) {
                $text =~ s/(time ?)(\d{10})/$1 . ($2 + $ahead)/e;
                syswrite $other{$socket}, $text;
            } elsif (my $peer = delete $other{$socket}) {
                delete $other{$peer};
                $select->remove($socket, $peer);
                close $_ for $socket, $peer;
            }
        }
    }
}

subtest 'a memcached whose clock is wrong' => sub {
    my ($ahead, $behind) = (relay(3600, $ENV{KC_MEMCACHED_PORT}), relay(-3600, memcached(free_ports(1))));
    my $server = start('start-clock', "KeycloakMemcached 127.0.0.1:$ahead 127.0.0.1:$behind", 'KeycloakStoreTimeout 5s');
    for my $row ([$ahead, 'ahead of'], [$behind, 'behind']) {
        says($server, qr/\[auth_keycloak:warn\].*KC\d{4}: memcached 127\.0\.0\.1:$row->[0]: its clock is 3\d\d\d s $row->[1] this host's/, "$row->[1] ours: the log says so");
    }
    my $browser = signed_in('start-clock') or return fail 'signing in';
    is is_in($browser), 1, 'sessions live';
};

# Listens and answers each client with that text, if any; its port.
sub answering {
    my $text = shift;
    my $listening = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1', LocalPort => 0, ReuseAddr => 1) or die "no port: $!\n";
    my $pid = fork // die "fork: $!\n";
    if ($pid) { push @processes, $pid; return $listening->sockport }
    $SIG{TERM} = sub { POSIX::_exit(0) };
    my @clients;
    while (my $client = $listening->accept) {
        syswrite $client, $text if length $text;
        if (length $text && $text =~ /^HTTP/) { close $client } else { push @clients, $client }
    }
    POSIX::_exit(0);
}

# Nobody has asked for anything yet.
subtest 'a KeycloakMemcached that cannot be used is told of at start' => sub {
    my $web = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    my ($closed) = free_ports(1);
    my %row = ('nobody there' => $closed, 'a web server' => answering($web), 'Redis' => answering("-ERR unknown command\r\n"),
        'SSH' => answering("SSH-2.0-OpenSSH_9.2p1\r\n"), 'who is silent' => answering(''));
    my %why = ('nobody there' => qr/it cannot be reached: Connection refused/, 'who is silent' => qr/no answer in time/);
    my @names = sort keys %row;
    my $server = start('start-none', 'KeycloakMemcached ' . join(' ', "localhost:$ENV{KC_MEMCACHED_PORT}", 'no-such-host.invalid',
        map { "127.0.0.1:$row{$_}" } @names), 'KeycloakStoreTimeout 200ms');
    for my $name (@names) {
        my $why = $why{$name} || qr/is it memcached\?/;
        says($server, qr/\[auth_keycloak:warn\].*KC0501: KeycloakMemcached \(line \d+ of [^)]*\): memcached 127\.0\.0\.1:$row{$name}: .*$why/, $name);
    }
    says($server, qr/\[auth_keycloak:warn\].*KC0501: KeycloakMemcached \([^)]*\): memcached no-such-host\.invalid: .*no-such-host/, 'an unknown name');
    unlike $server->log, qr/KC0501: .*memcached localhost/, 'but none for one that is in order';
    is scalar(() = $server->log =~ /KC0501: .*127\.0\.0\.1:$closed/g), 1, 'each once, for all children';
};

subtest 'a memcached that is there again' => sub {
    my ($port) = free_ports(1);
    my $server = start('start-later', "KeycloakMemcached 127.0.0.1:$port", 'KeycloakStoreTimeout 5s');
    isnt browser('start-later')->sign_in('/')->status, 303, 'without it nobody can sign in';
    says($server, qr/\[auth_keycloak:warn\].*KC0611: memcached 127\.0\.0\.1:$port marked down: /, 'the log says so');
    memcached($port);
    ok wait_until(sub { browser('start-later')->sign_in('/')->status == 303 }), 'with it one can';
    says($server, qr/\[auth_keycloak:notice\].*KC0612: memcached 127\.0\.0\.1:$port back: /, 'and the log says that as well');
};

subtest 'what virtual hosts inherit is told once' => sub {
    my @hosts = map { ('<VirtualHost *:1>', "ServerName $_.test", '<Location /x>', 'KeycloakUnauth 401', '</Location>', '</VirtualHost>') } qw(a b c);
    my $server = start('start-inherited', 'KeycloakAllowHTTP on', 'KeycloakIssuer http://keycloak.invalid/realms/start',
        "KeycloakMemcached $memcached 0.0.0.0:$ENV{KC_MEMCACHED_PORT}", @hosts);
    says($server, qr/AH00489/, 'it has started with a key');
    without_key($server);
    says($server, qr/AH00489.*AH00489/s, 'and without one');
    for my $row (['KC0613', 2], ['KC0621', 1], ['KC0622', 2]) {
        my ($tag, $times) = @$row;
        is scalar(() = $server->log =~ /$tag:/g), $times, "$tag once for each start" or diag $server->log;
    }
};

subtest 'a memcached across a network' => sub {
    my $server = start('start-network', "KeycloakMemcached $memcached 0.0.0.0:$ENV{KC_MEMCACHED_PORT}");
    my $line = qr/\[auth_keycloak:notice\].*KC0613: KeycloakMemcached 0\.0\.0\.0:\d+: the connection has no TLS; sessions are sealed, but let only the nodes of this site reach that address/;
    says($server, $line, 'a line');
    unlike $server->log, qr/KeycloakMemcached 127/, 'and none for one of this host';
};

subtest 'without mod_watchdog' => sub {
    my @gone = "LoadModule watchdog_gone_module $ENV{KC_BUILD}/mod_watchdog_gone.so";
    my $server = start('start-watchdog', @gone);
    says($server, qr/\[auth_keycloak:notice\].*KC0623: mod_watchdog is not loaded: /, 'a line');
    ok signed_in('start-watchdog'), 'one can sign in';
    undef $server;
    $server = start('start-watchdog', 'Define WATCHDOG_REFUSES', @gone);
    says($server, qr/\[auth_keycloak:warn\].*KC0624: mod_watchdog refuses: /, 'and where it refuses, a warning');
    ok signed_in('start-watchdog'), 'one can sign in';
};

# ---- without KeycloakIssuer

subtest 'a process in which the module is off' => sub {
    my $server = Keycloak::Server->new('start-off', places => ['<Location /open>', 'AuthType None', 'Require all granted', '</Location>']);
    local $ENV{KC_PORT} = $server->port;
    $server->change('KeycloakIssuer .*', '');
    $server->stop;
    $server->start;
    my $answer = browser('start-off')->get('/x');
    is $answer->status, 500, 'a place with AuthType Keycloak' or diag $answer->text;
    says($server, qr/\[auth_keycloak:error\].*KC0003: AuthType Keycloak for \/x, but this server has no KeycloakIssuer/, 'the log says why');
    my $open = browser('start-off')->get('/open?h=' . escape('Set-Cookie: keycloak_session=own'), 'kubeflow-userid' => 'mallory@example.com', Cookie => 'keycloak_session=mine');
    is $open->status, 200, 'another place' or diag $open->text;
    is identity($open->json), 'mallory@example.com', 'has the headers that the client sends';
    like join('|', headers_named($open->json, 'cookie')), qr/keycloak_session=mine/, 'its cookies';
    ok scalar(grep { /keycloak_session=own/ } $open->all('Set-Cookie')), 'and those that the backend sets';
    is $open->header('Cache-Control'), undef, 'nothing is said to caches';
    ok browser('start-off')->get('/authservice/login')->status == 500, 'nor are addresses of ours there';
};

subtest 'a host without it, beside one that has it' => sub {
    my $server = Keycloak::Server->new('start-beside', lines => [
        '<VirtualHost *:*>', 'ServerName start-beside.test', "KeycloakIssuer $ENV{KC_PROVIDER}/realms/start-beside", '</VirtualHost>',
        '<VirtualHost *:*>', 'ServerName beside.test', '<Location /ready>', 'SetHandler keycloak-health', 'AuthType None', 'Require all granted', '</Location>',
        '</VirtualHost>'], places => ['<Location /ready>', 'AuthType None', 'Require all granted', '</Location>']);
    local $ENV{KC_PORT} = $server->port;
    $server->change('KeycloakIssuer .*', '');
    $server->stop;
    $server->start;
    my $answer;
    ok wait_until(sub { $answer = browser('beside')->get('/ready'); $answer->status == 200 }), 'says whether all are ready' or diag $answer->text;
    is $answer->header('Cache-Control'), 'no-store', 'which nobody keeps';
    my $body = browser('beside')->request('GET', '/ready', body => 'x' x 10);
    is $body->status, 200, 'with a body too';
    is $body->header('Connection'), 'close', 'which nobody reads';
    is browser('beside')->post('/ready', 'x')->status, 405, 'by no other method';
};

# ---- the realm

subtest 'an issuer by its IPv6 address' => sub {
    my $server = start('start-six', "KeycloakBackchannelURL http://[::1]:$ENV{KC_CLOSED_PORT}");
    my $answer = browser('start-six')->get('/x');
    is $answer->status, 503, 'that does not answer: 503' or diag $answer->text;
    is $answer->tag, 'KC0201', 'by the reason of any other';
    like $server->log, qr/KC0201: .*\[::1\]/, 'the log names it' or diag $server->log;
};

done_testing;
