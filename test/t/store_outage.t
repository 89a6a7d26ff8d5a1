# SPDX-License-Identifier: Apache-2.0
# The store fails while users are signed in (threats.md J 141): known users continue for KeycloakStoreGrace, and whatever needs the
# store is refused, with the reason, instead of being said to be done.
use strict;
use warnings;
use Test::More;
use IO::Socket::INET;
use Keycloak::Expect;
use Keycloak::Ports;
use Keycloak::Server;
use Keycloak::World;

use constant {
    SITE => 'store-gone', SESSIONS => '/authservice/sessions', LOGOUT => '/authservice/logout', FORM => 'application/x-www-form-urlencoded',
    HTML => 'text/html', UNKNOWN => 'keycloak_session=' . 'A' x 43,
};

my ($port) = free_ports(1);
my $memcached = fork // die "fork: $!\n";
if (!$memcached) {
    exec 'memcached', '-l', '127.0.0.1', '-p', $port, '-U', 0 or exit 1;
}
END { local $?; kill 'KILL', $memcached if $memcached }
wait_until(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) }) or die "memcached does not listen\n";

my $server = Keycloak::Server->new(SITE, lines => [
    "KeycloakMemcached 127.0.0.1:$port", 'KeycloakStoreTimeout 5s', 'KeycloakHTTPTimeout 20s', 'KeycloakStoreGrace 1h',
    'KeycloakIDTokenHeader X-Id-Token', 'KeycloakPublicPath /public',
    'StartServers 1', 'ServerLimit 1', 'MaxRequestWorkers 8'],    # one child, whose first tier knows them all
    places => ['<Location /operator>', 'SetHandler keycloak-sessions', '</Location>']);
local $ENV{KC_PORT} = $server->port;

my $in = signed_in(SITE) or BAIL_OUT('nobody can sign in');
my $seen = $in->seen('/x');
is identity($seen), 'alice@example.com', 'alice is signed in';
my $token = join '|', headers_named($seen, 'X-Id-Token');
like $token, qr/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/, 'her token goes to the backend';
is scalar @{ $in->api(SESSIONS)->json->{sessions} }, 1, 'her session is listed';

kill 'KILL', $memcached;
waitpid $memcached, 0;
undef $memcached;

# As one who was told that the store is down, and whose session is none the worse.
sub store_is_down {
    my ($answer, $name) = @_;
    return subtest $name => sub {
        is $answer->status, 503, 'status 503' or diag $answer->text;
        is $answer->tag, 'KC0501', 'with the reason';
        like $answer->header('Retry-After') // '', qr/^\d+$/, 'and when to come again';
        is_deeply [$answer->all('Set-Cookie')], [], 'no cookie is changed';
        is_deeply [$answer->all('kubeflow-userid')], [], 'and nobody is named';
    };
}

$seen = $in->seen('/x', 'X-Id-Token' => 'forged');
is identity($seen), 'alice@example.com', 'who is known goes on';
is join('|', headers_named($seen, 'X-Id-Token')), $token, 'with the token that she had, and none of her making';

my @post = ('Content-Type' => FORM, Accept => 'application/json', Origin => $in->origin);
is $in->api('/authservice/whoami')->status, 200, 'whoami tells what is known';
store_is_down $in->api(SESSIONS), 'the list of her sessions';
store_is_down $in->get(SESSIONS), 'the same as a page';
store_is_down $in->post(SESSIONS, 'end=' . 'f' x 16, @post), 'the end of another session';
store_is_down $in->post(SESSIONS, 'end=all', @post), 'the end of all: none of them is said to have ended';
store_is_down $in->api('/operator?user=alice%40example.com'), "an operator's look";
store_is_down $in->post('/operator', "$_", @post), "an operator's end: $_" for 'user=alice%40example.com', 'sub=alice';
is identity($in->seen('/x')), 'alice@example.com', 'nothing of this has ended her session';
store_is_down $in->get(LOGOUT), 'a sign-out, of which no mark could be left';
my $hits = hits(SITE);
store_is_down $in->api('/x'), 'but this host forgets her, who wanted to leave';
store_is_down $in->post(LOGOUT, '', @post), 'and she cannot be told that it is done';

# A session of which the first tier knows nothing may be good: nobody is told that it is not.
my @unknown = (Cookie => UNKNOWN);
for my $path ('/page', '/authservice/whoami', '/authservice/verify/page', '/authservice/login?return=%2Fpage', LOGOUT, SESSIONS,
    '/authservice/oidc/callback?code=x&state=' . 'A' x 43)
{
    store_is_down browser(SITE)->get($path, @unknown, Accept => HTML), "an unknown session at $path";
    store_is_down browser(SITE)->get($path, @unknown, Accept => 'application/json'), "an unknown session at $path, by a script";
}
is hits(SITE), $hits, 'none of them has reached the backend';
is browser(SITE)->get('/public/x', @unknown)->status, 200, 'a public path needs no store';
my $late = browser(SITE)->sign_in('/page');
is $late->status, 503, 'a sign-in: 503';
is scalar($late->session_cookies), 0, 'without a session';
$server->end;
unlike $server->log, qr/exit signal/, 'no child crashed';

done_testing;
