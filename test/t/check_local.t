# SPDX-License-Identifier: Apache-2.0
# httpd -t -D KEYCLOAK_CHECK: what it finds without Keycloak. Each misconfiguration is made for real, and is named with its cure.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Keycloak::Expect;
use Keycloak::Memcached;
use Keycloak::Ports;
use Keycloak::World;
use POSIX ();
use Test::More;

my $dir = "$ENV{KC_ROOM}/check_local";
mkdir $dir;

sub file {
    my ($name, $text, $mode) = @_;
    open my $handle, '>', "$dir/$name" or die "$name: $!";
    print $handle $text;
    close $handle;
    chmod $mode // 0600, "$dir/$name";
    return "$dir/$name";
}

my @base = ("ServerRoot $dir", "PidFile $dir/pid", "ErrorLog $dir/error_log", 'ServerName site.test', 'Listen 127.0.0.1:1',
    (map { "LoadModule ${_}_module $ENV{KC_MODULES}/mod_$_.so" } qw(mpm_event authn_core authz_core authz_user authz_host)),
    "LoadModule auth_keycloak_module $ENV{KC_BUILD}/mod_auth_keycloak.so",
    'KeycloakIssuer http://127.0.0.1:1/realms/x', 'KeycloakClientID app', 'KeycloakClientSecret canary-secret-9911');
my @place = ('<Location />', 'AuthType Keycloak', 'Require valid-user', '</Location>');

# Runs the check: exit status, its results, what it said beside, and all of the output.
sub asked {
    my @lines = @_;
    local $ENV{KEYCLOAK_CHECK} = 'json';
    my $path = file('httpd.conf', join("\n", @base, @lines, ''));
    open my $pipe, '-|', "\Q$ENV{KC_HTTPD}\E -t -D KEYCLOAK_CHECK -f \Q$path\E 2>$dir/stderr" or die "httpd: $!";
    my $printed = do { local $/; <$pipe> } // '';
    close $pipe;
    my $status = $?;
    my $said = do { local (@ARGV, $/) = "$dir/stderr"; <> };
    $said .= do { local (@ARGV, $/) = "$dir/error_log"; <> } // '' if -e "$dir/error_log";
    unlink "$dir/error_log";
    my $results = $printed =~ /^\{/ ? JSON::PP::decode_json($printed)->{results} : [];
    return { status => $status, results => $results, said => $said // '', printed => $printed };
}

# What is not well, without what depends on Keycloak.
sub ill { return grep { $_->{outcome} !~ /^(?:ok|skipped)$/ && $_->{check} !~ /^issuer\./ } @{ $_[0]{results} } }

# One row: exactly this is named, with its cure, and the same sentence holds no secret.
sub named {
    my ($row, $outcome, $check, $text, $cure, @lines) = @_;
    subtest $row => sub {
        my $report = asked(@lines);
        my @ill = ill($report);
        is join(' ', map { "$_->{outcome}:$_->{check}" } @ill), "$outcome:$check", 'this alone is named' or diag $report->{printed}, $report->{said};
        like $ill[0]{text} // '', $text, 'what is wrong';
        like $ill[0]{cure} // '', $cure, 'what to do';
        isnt $report->{status}, 0, 'the exit status says so' if $outcome eq 'failed';
        unlike $report->{printed} . $report->{said}, qr/canary-/, 'no secret';
    };
    return;
}

# ---- memcached servers, each of this test alone

my @running;
sub start {
    my ($command, %environment) = @_;
    my ($port) = free_ports(1);
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        local @ENV{ keys %environment } = values %environment;
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec map { $_ eq 'PORT' ? $port : $_ } @$command or exit 1;
    }
    push @running, $pid;
    wait_until(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) }) or die "@$command does not listen";
    return $port;
}
sub memcached { return start(['memcached', '-l', '127.0.0.1', '-p', 'PORT', '-U', 0, @_]) }
END { local $?; kill 'KILL', $_ and waitpid $_, 0 for @running }

# Between a check and a real memcached: it changes statistics by name, in the binary protocol.
sub spoiler {
    my ($behind, %changes) = @_;
    my ($port) = free_ports(1);
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', LocalPort => $port, ReuseAddr => 1) or POSIX::_exit(1);
        while (my $client = $listener->accept) {
            my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $behind) or next;
            relay($client, $server, \%changes);
        }
        POSIX::_exit(0);
    }
    push @running, $pid;
    wait_until(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) }) or die 'the spoiler does not listen';
    return $port;
}

sub relay {
    my ($client, $server, $changes) = @_;
    my $select = IO::Select->new($client, $server);
    my $answer = '';
    while (my @ready = $select->can_read(60)) {
        for my $from (@ready) {
            sysread $from, my $piece, 65536 or return;
            if ($from == $client) { syswrite $server, $piece; next }
            $answer .= $piece;
            while (length $answer >= 24) {
                my (undef, $opcode, $key_length, $extras, undef, undef, $length) = unpack 'C C n C C n N', $answer;
                last if length $answer < 24 + $length;
                my $frame = substr $answer, 0, 24 + $length, '';
                my $name = substr $frame, 24 + $extras, $key_length;
                my $change = $opcode == 0x10 ? $changes->{$name} : undef;
                substr $frame, 24 + $extras + $key_length, length($frame), sprintf '%0*d', $length - $extras - $key_length, $change->() if $change;
                syswrite $client, $frame;
            }
        }
    }
    return;
}

my $good_key = file('good.key', "bW9kX2F1dGhfa2V5Y2xvYWsgY2hlY2sgZG9lcyBpdDEyMzQ1\n");
my @key = ("KeycloakCryptoKey file:$good_key");
my @site = (@place, 'KeycloakPublicURL http://localhost');
my $memory = memcached('-m', 64);
sub at { return "KeycloakMemcached 127.0.0.1:$_[0]" }

subtest 'a healthy set-up' => sub {
    my $report = asked(@site, @key, at($memory), 'KeycloakTrustedProxy 10.0.0.0/8 192.0.2.7 fd00::/8');
    is join(' ', map { "$_->{outcome}:$_->{check}" } ill($report)), '', 'is well' or diag $report->{printed}, $report->{said};
    my %well = map { $_->{check} => $_->{text} } grep { $_->{outcome} eq 'ok' } @{ $report->{results} };
    like $well{'memcached.connect'}, qr/version \d\S+ answers, in \d+ ms/, 'memcached answers';
    ok $well{$_}, $_ for qw(memcached.values memcached.memory memcached.connections memcached.clock crypto_key.strength crypto_key.readers crypto_key.fingerprint proxies.width cookie.secure);
    like $well{'memcached.connections'}, qr/takes 1024 connections; this httpd may open 402/, 'how many may be opened';
    unlike $report->{printed}, qr/bW9kX2F1dGhf/, 'no key is shown';
    local $ENV{KC_MEMCACHED_PORT} = $memory;
    is join(' ', Keycloak::Memcached->new->keys), '', 'nothing is left in memcached';
};

# ---- memcached

my ($nobody) = free_ports(1);
my $sasl = eval {
    my ($place, $database) = ("$dir/sasl", "$dir/sasl/accounts");
    mkdir $place;
    open my $conf, '>', "$place/memcached.conf" or die $!;
    print $conf "mech_list: plain\nsasldb_path: $database\n";
    close $conf;
    open my $pipe, '|-', 'saslpasswd2', '-c', '-p', '-a', 'memcached', '-f', $database, 'app' or die $!;
    print $pipe 'canary-password-1';
    close $pipe or die "saslpasswd2: $!";
    start(['memcached', '-l', '127.0.0.1', '-p', 'PORT', '-U', 0, '-S'], SASL_CONF_PATH => $place);
} or diag $@;
my @account = ('KeycloakMemcachedUser app', 'KeycloakMemcachedPassword canary-password-1');

named('memcached: another port', 'failed', 'memcached.connect', qr/Connection refused/, qr/correct KeycloakMemcached/, @site, @key, at($nobody));
named('memcached: a port of something else', 'failed', 'memcached.connect', qr/no answer|makes no sense|is it memcached/, qr/port|something else/, @site, @key, at($ENV{KC_BACKEND_PORT}));
named('memcached: another name', 'failed', 'memcached.dns', qr/memcached\.invalid/, qr/correct the host in KeycloakMemcached/, @site, @key, 'KeycloakMemcached memcached.invalid:11211');
named('memcached: SASL is missing here', 'failed', 'memcached.connect', qr/127\.0\.0\.1:$sasl/, qr/KeycloakMemcachedUser/, @site, @key, at($sasl));
named('memcached: a wrong password', 'failed', 'memcached.connect', qr/KeycloakMemcachedPassword/, qr/SASL database/, @site, @key, at($sasl), 'KeycloakMemcachedUser app',
    'KeycloakMemcachedPassword canary-password-2');
named('memcached: SASL is missing there', 'failed', 'memcached.connect', qr/127\.0\.0\.1:$memory/, qr/without -S, leave KeycloakMemcachedUser/, @site, @key, at($memory), @account);
subtest 'memcached: SASL on both sides' => sub {
    my $report = asked(@site, @key, at($sasl), @account);
    is join(' ', map { $_->{check} } ill($report)), '', 'is well' or diag $report->{printed};
    like $report->{printed}, qr/answers to this user \(SASL\)/, 'and said';
};
named('memcached: little memory (-m)', 'warning', 'memcached.memory', qr/has 16 MB \(-m\)/, qr/-m MEGABYTES/, @site, @key, at(memcached('-m', 16)));
named('memcached: small values (-I)', 'failed', 'memcached.item', qr/no value of 512 KB.*-I is 262144/, qr/leave -I out/, @site, @key, at(memcached('-I', '256k', '-o', 'slab_chunk_max=128')));
named('memcached: few connections (-c)', 'failed', 'memcached.connections', qr/takes 50 connections \(-c\), but this httpd may open 402/, qr/-c, at least 402/, @site, @key,
    at(memcached('-c', 50)));
named('memcached: another clock', 'failed', 'memcached.clock', qr/clock is (?:29\d|30\d) s ahead/, qr/NTP/, @site, @key, at(spoiler($memory, time => sub { time + 300 })));
named('memcached: the clock is behind', 'failed', 'memcached.clock', qr/clock is (?:59\d|60\d) s behind/, qr/NTP/, @site, @key, at(spoiler($memory, time => sub { time - 600 })));
{
    my $full = memcached('-m', 64);
    local $ENV{KC_MEMCACHED_PORT} = $full;
    my $client = Keycloak::Memcached->new;
    $client->set("filler-$_", 'x' x 500_000, 0) for 1 .. 200;
    ok $client->stat('evictions') > 0, 'a memcached is full';
    named('memcached: full', 'warning', 'memcached.memory', qr/is full.*thrown away \d+ values/, qr/more memory/, @site, @key, at($full));
}

# ---- keys

sub key { my ($name, $text, $mode) = @_; return 'KeycloakCryptoKey file:' . file("$name.key", "$text\n", $mode) }
named('a key of one character', 'failed', 'crypto_key.strength', qr/few different characters/, qr/openssl rand -base64 48/, @site, key('same', 'k' x 40));
named('a key that repeats a word', 'failed', 'crypto_key.strength', qr/repeats a short text/, qr/openssl rand -base64 48/, @site, key('word', 'kubeflow-2024' x 3));
named('a key that is the alphabet', 'failed', 'crypto_key.strength', qr/sequence/, qr/openssl rand -base64 48/, @site, key('row', join '', 'a' .. 'z', 'A' .. 'Z'));
named('no key for memcached', 'warning', 'crypto_key.missing', qr/lost when httpd is stopped/, qr/KeycloakCryptoKey file:PATH/, @site, at($memory));
named('no key for several nodes', 'failed', 'crypto_key.missing', qr/none reads another's sessions/, qr/copy it to all/, @site, "KeycloakMemcached 127.0.0.1:$memory localhost:$memory");
for my $row (['a short key', 'k' x 31, 0600, qr/fewer than 32 characters.*openssl rand/], ['a key that others can read', 'k' x 40, 0644, qr/read or written by others: chmod o-rwx/]) {
    my ($name, $text, $mode, $wanted) = @$row;
    my $report = asked(@site, key($name =~ tr/ /-/r, $text, $mode));
    isnt $report->{status}, 0, "$name: refused";
    like $report->{said}, qr/KeycloakCryptoKey.*$wanted/s, 'and said' or diag $report->{said};
}
subtest 'keys of two nodes' => sub {
    my $print = sub { my ($line) = map { $_->{text} } grep { $_->{check} eq 'crypto_key.fingerprint' } @{ asked(@site, @_)->{results} }; return $line };
    my $other = key('other', 'TmljaHQgZGVyc2VsYmUgU2NobMO8c3NlbCB3aWUgZG9ydA0K');
    my ($mine, $theirs) = ($print->(@key), $print->($other));
    like $mine, qr/^[0-9a-f]{16}$/, 'a key has a fingerprint';
    isnt $mine, $theirs, 'another one has another';
    is $print->(@key, $other), "$mine $theirs", 'two have two';
    local $ENV{KEYCLOAK_CHECK_FINGERPRINT} = $theirs;
    named('another key there', 'failed', 'crypto_key.equal', qr/other node seals with another key: here $mine, there $theirs/, qr/from one node to all/, @site, @key);
    named('no key here', 'failed', 'crypto_key.missing', qr/none reads/, qr/KeycloakCryptoKey/, @site);
    $ENV{KEYCLOAK_CHECK_FINGERPRINT} = "$theirs $mine";
    named('the same keys in another order', 'warning', 'crypto_key.equal', qr/lists of keys differ/, qr/same order/, @site, @key, $other);
    $ENV{KEYCLOAK_CHECK_FINGERPRINT} = "$mine,$theirs";
    my $report = asked(@site, @key, $other);
    is join(' ', ill($report)), '', 'the same keys are well' or diag $report->{printed};
    like $report->{printed}, qr/both nodes have the same keys/, 'and said';
};

# ---- addresses and cookies

named("a trusted proxy: $_", 'failed', 'proxies.width', qr/KeycloakTrustedProxy \Q$_\E: everybody can say/, qr/only the addresses of your own/, @site, @key, "KeycloakTrustedProxy $_")
    for qw(0.0.0.0/0.0.0.0 128.0.0.0/1 8000::/1);
named('a trusted proxy: a part of the Internet', 'warning', 'proxies.width', qr/hosts of others/, qr/only the addresses/, @site, @key, 'KeycloakTrustedProxy 203.0.0.0/10');
named('TLS ends before httpd, and no proxy is trusted', 'warning', 'proxies.missing', qr/browsers come to https:.*without TLS.*X-Forwarded-\* are ignored/, qr/KeycloakTrustedProxy/, @place, @key,
    'KeycloakPublicURL https://site.test');
named('a cookie that crosses the network by http', 'warning', 'cookie.secure', qr/browsers come to http:\/\/site\.test.*not Secure/, qr/serve https/, @place, @key, 'KeycloakPublicURL http://site.test');
for my $row (['a cookie of another domain', qr/KeycloakCookieDomain.*not a domain of KeycloakPublicURL/, 'KeycloakCookieDomain other.test', 'KeycloakPublicURL https://site.test'],
    ['a trusted proxy that is everybody', qr{KeycloakTrustedProxy.*takes addresses.*not '0\.0\.0\.0/0'}, 'KeycloakTrustedProxy 0.0.0.0/0'],
    ['the same of IPv6', qr{KeycloakTrustedProxy.*not '::/0'}, 'KeycloakTrustedProxy ::/0'],
    ['SameSite None by http', qr/KeycloakCookieSameSite.*None needs a KeycloakPublicURL with https/, 'KeycloakCookieSameSite None', 'KeycloakPublicURL http://site.test'],
    ['a Secure cookie by http', qr/KeycloakCookie.*__Host-x needs https/, 'KeycloakCookie __Host-x', 'KeycloakPublicURL http://site.test']) {
    my ($name, $wanted, @lines) = @$row;
    my $report = asked(@place, @key, @lines);
    isnt $report->{status}, 0, "$name: refused";
    like $report->{said}, $wanted, 'and said' or diag $report->{said};
}

# ---- people of the environment

subtest 'a password is sent to the issuer alone that it belongs to' => sub {
    local @ENV{qw(KEYCLOAK_CHECK_USER KEYCLOAK_CHECK_PASSWORD KEYCLOAK_CHECK_ADMIN KEYCLOAK_CHECK_ADMIN_PASSWORD)} = qw(anna canary-anna root canary-root);
    my $issuer = sub { return "$ENV{KC_PROVIDER}/realms/$_[0]" };
    my @two = (@site, @key, 'KeycloakIssuer ' . $issuer->('check-here'), '<VirtualHost *:1>', 'ServerName there.test', 'KeycloakIssuer ' . $issuer->('check-there'), '</VirtualHost>');
    my $told = sub { my ($name, $since) = @_; my @log = realm($name)->log('token'); return grep { JSON::PP::encode_json($_) =~ /canary-(?:anna|root)/ } @log[$since .. $#log] };
    my $count = sub { return scalar(my @log = realm(shift)->log('token')) };
    my %seen = map { $_ => $count->($_) } qw(check-here check-there);
    my $report = asked(@two);
    is scalar(grep { $_->{check} eq 'people.issuer' && $_->{outcome} eq 'unknown' && $_->{cure} =~ /KEYCLOAK_CHECK_ISSUER/ } @{ $report->{results} }), 2, 'with two issuers nobody is named' or diag $report->{printed};
    is scalar($told->($_, $seen{$_})), 0, "nor to $_" for sort keys %seen;
    local $ENV{KEYCLOAK_CHECK_ISSUER} = $issuer->('check-there');
    $report = asked(@two);
    is scalar(grep { $_->{check} eq 'people.issuer' } @{ $report->{results} }), 0, 'with one that is named nothing is missing';
    is scalar($told->('check-here', $seen{'check-here'})), 0, 'the other one gets none';
    cmp_ok scalar($told->('check-there', $seen{'check-there'})), '>', 0, 'the named one does';
    unlike $report->{printed} . $report->{said}, qr/canary-/, 'no secret is shown';
    delete $ENV{KEYCLOAK_CHECK_ISSUER};
    $seen{'check-here'} = $count->('check-here');
    asked(@site, @key, 'KeycloakIssuer ' . $issuer->('check-here'), '<VirtualHost *:1>', 'ServerName b.test', 'KeycloakClientID b', '</VirtualHost>');
    cmp_ok scalar($told->('check-here', $seen{'check-here'})), '>', 0, 'the only issuer needs no name';
};

# ---- guards and public paths

my @rest = (@key, 'KeycloakPublicURL http://localhost');
sub location { my ($path, @lines) = @_; return ("<Location $path>", @lines, '</Location>') }
named('AuthType without Require', 'warning', 'config.guards', qr/AuthType Keycloak \(line \d+ of .*without a Require/, qr/^Add Require valid-user, or leave AuthType out$/, @rest,
    location('/a', 'AuthType Keycloak', 'Require all granted'));
named('Require without AuthType', 'warning', 'config.guards', qr/Require valid-user \(line \d+ of .*without an AuthType/, qr/^Add AuthType Keycloak$/, @rest, location('/a', @place[1, 2]),
    location('/b', 'Require valid-user'));
named('no location is guarded', 'warning', 'config.guards', qr/no location has AuthType Keycloak/, qr/^Add AuthType Keycloak and Require valid-user/, @rest);
named('every path is public', 'warning', 'config.guards', qr/every path is public/, qr/everybody may see/, @rest, @place, 'KeycloakPublicPath /');
named("a public path: $_->[0]", 'warning', 'config.guards', qr/KeycloakPublicPath \S+ \(line \d+ of .*\) opens <Location \Q$_->[1]\E> \(line \d+/, qr/narrower/, @rest, @place,
    "KeycloakPublicPath /else $_->[2]", location($_->[1], 'AuthType Keycloak', 'Require keycloak-role admin', 'Require user alice'))
    for ['over a guarded one', '/app/admin', '/app'], ['the same one', '/app', '/app'], ['with a slash', '/app', '/app/'], ['over one with a slash', '/app/', '/app'];
subtest 'public paths that open nothing' => sub {
    for my $row (['below a guarded one', location('/app', @place[1, 2]), 'KeycloakPublicPath /app/static'], ['beside one', location('/application', @place[1, 2]), 'KeycloakPublicPath /app'],
        ['over one of another AuthType', location('/app/x', 'AuthType Basic', 'Require valid-user'), 'KeycloakPublicPath /app'],
        ['over one that needs no user', location('/app/x', 'Require ip 10.0.0.0/8'), 'KeycloakPublicPath /app'],
        ['of another virtual host', '<VirtualHost *:1>', location('/app/x', @place[1, 2]), '</VirtualHost>', '<VirtualHost *:2>', 'ServerName b.test', 'KeycloakPublicPath /app', '</VirtualHost>']) {
        my ($name, @lines) = @$row;
        my $report = asked(@rest, @place, @lines);
        is join(' ', map { $_->{text} } grep { $_->{check} eq 'config.guards' && $_->{outcome} ne 'ok' } @{ $report->{results} }), '', $name;
        unlike $report->{said}, qr/ opens <Location/, 'nothing in the log';
    }
};
subtest 'a public path that a virtual host inherits, or has over the main server\'s locations' => sub {
    for my $row (['KeycloakPublicPath /app', '<VirtualHost *:1>', 'KeycloakScope openid', location('/app/x', @place[1, 2]), '</VirtualHost>'],
        [location('/app/x', @place[1, 2]), '<VirtualHost *:1>', 'KeycloakPublicPath /app', '</VirtualHost>']) {
        my $report = asked(@rest, @place, @$row);
        is scalar(grep { $_->{text} =~ m{ opens <Location /app/x>} } @{ $report->{results} }), 1, 'is named once' or diag $report->{printed};
        is scalar(() = $report->{said} =~ m{ opens <Location /app/x>}g), 1, 'and warned of by httpd -t itself';
    }
};

done_testing;
