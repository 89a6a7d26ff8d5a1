# SPDX-License-Identifier: Apache-2.0
# Requests that show a mistake in the configuration are logged, with the cure; and no client can fill the log with them.
use strict;
use warnings;
use Test::More;
use IO::Socket::INET;
use Keycloak::Expect;
use Keycloak::Server;
use Keycloak::World;

use constant CHILDREN => 4;    # of Keycloak::Server

sub start {
    my ($name, @options) = @_;
    my $server = Keycloak::Server->new($name, @options);
    $ENV{KC_PORT} = $server->port;
    return $server;
}

sub lines { my ($server, $pattern) = @_; return scalar(() = $server->log =~ /\[auth_keycloak:warn\].*$pattern/g) }

# A server's strangers since now: how many lines they may cause by names of their own, five at once and one a minute for each child.
sub bound { my $since = shift; return CHILDREN * (5 + int((time - $since) / 60)) }

# GET with one more header line, from an address of this host; the answer's first line.
sub ask_from {
    my ($address, $server, $name, $path, @headers) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->port, LocalAddr => $address, Timeout => 60)
        or die "$address: $!\n";
    print $socket map { "$_\r\n" } "GET $path HTTP/1.1", "Host: $name.test", 'Connection: close', 'Accept: text/html', @headers, '';
    my $first = <$socket>;
    while (defined(my $line = <$socket>)) { }
    return $first;
}

subtest 'a proxy in the environment' => sub {
    for my $name (qw(https_proxy HTTPS_PROXY http_proxy HTTP_PROXY all_proxy ALL_PROXY)) {
        my $site = 'hints-env-' . lc($name =~ tr/_/-/r) . ($name eq lc $name ? '' : '-upper');
        local $ENV{$name} = 'http://user:canary-proxy-password@127.0.0.1:1/';
        my $server = start($site);
        ok signed_in($site), "$name: it is not used";
        is lines($server, "KC0208: proxy-ignored: httpd's environment has $name: this module ignores it"), 1, 'and that is said once'
            or diag $server->log;
        like $server->log, qr{KC0208: .*straight to \Q$ENV{KC_PROVIDER}\E/realms/\Q$site\E}, 'with the address';
        unlike $server->log, qr/canary-proxy/, 'without its password';
    }
    local $ENV{no_proxy} = 'localhost';
    local $ENV{https_proxy} = '';
    is lines(start('hints-env-none'), 'KC0208'), 0, 'no_proxy alone, and an empty one, mean nothing';
};

my @told = (
    'X-Forwarded-Proto: https', 'X-Forwarded-Host: shop.example.com', 'X-Forwarded-Port: 8443', 'X-Forwarded-Scheme: https',
    'X-Scheme: https', 'X-Forwarded-Ssl: on', 'Forwarded: proto=https;host=shop.example.com',
);
subtest 'what a peer says that is not trusted' => sub {
    my $number = 2;
    for my $header (@told) {
        my ($name) = $header =~ /^([^:]+)/;
        my $server = start('hints-forwarded', lines => ['KeycloakTrustedProxy 127.0.0.99']);
        my $address = '127.0.0.' . $number++;
        like ask_from($address, $server, 'hints-forwarded', '/', $header), qr/ 302 /, "$header: a sign-in begins";
        like $server->log, qr/\[auth_keycloak:warn\].*KC0121: forwarded-ignored: \Q$name\E of \Q$address\E is ignored, because KeycloakTrustedProxy does not name that peer; browsers are sent to http:\/\/hints-forwarded\.test.*add KeycloakTrustedProxy \Q$address\E, or set KeycloakPublicURL/,
            'the log names header, peer and directive' or diag $server->log;
        unlike $server->log, qr/shop\.example\.com/, 'not what was said' ;
        $server->stop;
    }
    my $server = start('hints-quiet');
    ask_from('127.0.0.1', $server, 'hints-quiet', '/', $_) for 'X-Forwarded-For: 10.0.0.1', 'X-Forwarded-Server: x', 'X-Forwarded: y';
    is lines($server, 'KC0121'), 0, 'what would tell nothing is not missed';
    for my $line ('KeycloakTrustedProxy 127.0.0.1', 'KeycloakPublicURL http://hints-public.test') {
        $server = start('hints-public', lines => [$line]);
        ask_from('127.0.0.1', $server, 'hints-public', '/', @told);
        is lines($server, 'KC0121'), 0, "nothing is said with $line";
        $server->stop;
    }
};

subtest 'many of them' => sub {
    my $server = start('hints-crowd');
    my $since = time;
    for my $round (1 .. 3) {
        ask_from("127.0.0.$_", $server, 'hints-crowd', '/', 'X-Forwarded-Proto: https') for 1 .. 60;
    }
    cmp_ok lines($server, 'KC0121'), '>=', 1, 'are told';
    cmp_ok lines($server, 'KC0121'), '<=', bound($since), 'but do not fill the log';
};

subtest 'an address below KeycloakPrefix that there is not' => sub {
    my $server = start('hints-address');
    my $browser = browser('hints-address');
    my $since = time;
    is $browser->post('/authservice/backchanel-logout', 'logout_token=canary-token', 'Content-Type' => 'application/x-www-form-urlencoded')->status, 404,
        'is not found';
    like $server->log, qr{\[auth_keycloak:warn\].*KC0105: not-found: POST /authservice/backchanel-logout: there is no such address; below KeycloakPrefix /authservice/ there are login, logout, sessions, whoami, backchannel-logout, frontchannel-logout, verify, and the callback is /authservice/oidc/callback},
        'and the log says which there are' or diag $server->log;
    is $browser->get("/authservice/loguot$_?code=canary-token")->status, 404, 'others' for 1 .. 200;
    is $browser->get('/authservice/loguot')->status, 404, 'one of them often' for 1 .. 20;
    cmp_ok lines($server, 'KC0105: not-found: (?:GET|POST) '), '<=', bound($since), 'do not fill the log';
    unlike $server->log, qr/canary-token/, 'nor tell a query or body';
    my $before = lines($server, 'KC0105: not-found: ');
    $browser->get("/authservice/$_") for qw(login logout whoami sessions verify/x site/a);
    is lines($server, 'KC0105: not-found: '), $before, 'nothing is said of those that there are';
};

# One connection is one child's.
subtest 'a mistake behind junk of a stranger' => sub {
    my $server = start('hints-address');
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->port, Timeout => 60) or die "connecting: $!\n";
    print $socket map { "$_\r\n" } 'GET /authservice/junk HTTP/1.1', 'Host: hints-address.test', '', 'GET /authservice/wohami HTTP/1.1',
        'Host: hints-address.test', 'Connection: close', '';
    my $answers = do { local $/; <$socket> };
    is scalar(() = $answers =~ m{^HTTP/1.1 404 }mg), 2, 'both are answered' or diag $answers;
    is lines($server, "KC0105: not-found: GET /authservice/$_:"), 1, "$_ is told" for qw(junk wohami);
};

subtest 'a claim that a Require line names and no token has' => sub {
    my @places = (
        '<Location /team>', 'Require keycloak-group staff', '</Location>',
        '<Location /department>', '<RequireAll>', 'Require keycloak-claim department = sales', 'Require not keycloak-claim cost.center = 1',
        '</RequireAll>', '</Location>',
    );
    my $site = 'hints-claims';
    my $server = start($site, places => \@places);
    my $realm = realm($site);
    $realm->set(id_token => { delete => ['groups', 'department', 'cost'] }, userinfo => { delete => ['groups'] });
    for (1 .. 9) {
        signed_in($site) or return fail 'signing in';
    }
    $realm->reset;
    for my $claim ('groups', 'department', 'cost\.center') {
        my $count = lines($server, "KC0420: claim-absent: .*no token of sub \\S+ has the claim $claim: ");
        cmp_ok $count, '>=', 1, "$claim is told" or diag $server->log;
        cmp_ok $count, '<=', CHILDREN, 'once by each child';
    }
    like $server->log, qr/KC0420: .*the claim groups: add the mapper Group Membership/, 'with the cure';
    $server = start('hints-claims-there', places => [@places[0 .. 2]]);
    ok signed_in('hints-claims-there'), 'with groups';
    is lines($server, 'KC0420'), 0, 'nothing is said';
};

done_testing;
