# SPDX-License-Identifier: Apache-2.0
# With other modules' authentication, and in servers or a whole httpd without KeycloakIssuer: others are not affected.
use strict;
use warnings;
use Test::More;
use MIME::Base64 qw(encode_base64);
use Keycloak::Expect;
use Keycloak::Server;
use Keycloak::World;

my $passwords = "$ENV{KC_ROOM}/passwords";
open my $file, '>', $passwords or die "$passwords: $!\n";
print $file "bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n";    # "password"
close $file;
my @bob = (Authorization => 'Basic ' . encode_base64('bob:password', ''));
my @basic = ('AuthType Basic', 'AuthName "the others"', 'AuthBasicProvider file', "AuthUserFile $passwords");
my @modules = map { "LoadModule ${_}_module $ENV{KC_MODULES}/mod_$_.so" } qw(auth_basic authn_file authn_anon);

sub place { my ($path, @lines) = @_; return ("<Location $path>", @lines, '</Location>') }

subtest 'AuthType Basic beside Keycloak' => sub {
    my $site = 'others';
    my $server = Keycloak::Server->new($site, lines => [@modules, 'KeycloakHTTPTimeout 20s', 'KeycloakPublicPath /basic/public'], places => [
        place('/basic', @basic, 'Require valid-user'),
        place('/basic/role', 'Require keycloak-role user'),
        place('/basic/not', '<RequireAll>', 'Require valid-user', 'Require not keycloak-role suspended', '</RequireAll>'),
        place('/basic/list', 'SetHandler keycloak-sessions'),
        place('/basic/free', @basic, 'Require all granted'),
        place('/anonymous', 'AuthType Basic', 'AuthName "anybody"', 'AuthBasicProvider anon', 'Anonymous "*"', 'Anonymous_NoUserID On',
            'Anonymous_MustGiveEmail Off', 'Anonymous_VerifyEmail Off', 'Require valid-user'),
        place('/anonymous/list', 'SetHandler keycloak-sessions'),
        place('/anonymous/not', '<RequireAll>', 'Require valid-user', 'Require not keycloak-role suspended', '</RequireAll>'),
    ]);
    local $ENV{KC_PORT} = $server->port;
    my $in = signed_in($site) or return fail 'signing in';
    my $nobody = browser($site);

    my $asked = $in->api('/basic/x');
    is $asked->status, 401, 'a session of ours is none of theirs: 401';
    like $asked->header('WWW-Authenticate') // '', qr/^Basic realm="the others"/, 'which they ask for';
    is $asked->tag, '', 'and no page of ours';
    is $in->api('/basic/public/x')->status, 401, 'KeycloakPublicPath opens places of ours alone';
    my $bob = $nobody->get('/basic/x', @bob, 'kubeflow-userid' => 'mallory@example.com');
    ok $bob->from_backend, 'with their password: in';
    is_deeply [headers_named($bob->json || {}, 'kubeflow-userid')], [], 'but not as anybody that a client names';
    ok asked_to_sign_in($nobody->get('/x', @bob), $site), 'their password is none of ours';

    # Of somebody whom this module has not signed in no role is known: that is a no, also to a line that excludes.
    is $nobody->api('/basic/role/x', @bob)->status, 401, 'Require keycloak-role of such a one';
    is $nobody->api('/basic/not/x', @bob)->status, 401, 'Require not keycloak-role of such a one';
    is $nobody->api('/anonymous/not/x', Authorization => 'Basic ' . encode_base64(':', ''))->status, 200,
        'one without a name has none, which httpd itself is told to let in';

    my $list = $nobody->api('/basic/list?user=alice%40example.com', @bob);
    is $list->status, 200, 'an operator may be one of theirs';
    is scalar @{ ($list->json || {})->{sessions} || [] }, 1, 'who sees the sessions';
    is $nobody->api('/anonymous/list?user=alice%40example.com', Authorization => 'Basic ' . encode_base64(':', ''))->status, 500,
        'but no operator is without a name';

    is $in->get('/authservice/verify/basic/free/x')->status, 204, 'verify: a place of theirs that is open, with a session of ours';
    is $nobody->api('/authservice/verify/basic/free/x')->status, 401, 'and without one';
    is $nobody->api('/authservice/verify/basic/public/x')->status, 401, 'KeycloakPublicPath does not count there either';
    is $in->api('/authservice/verify/basic/x')->status, 403, 'a place of theirs that is not open';
};

subtest 'a virtual host without KeycloakIssuer' => sub {
    my $site = 'bare-places';
    my $mark = log_mark();
    my $in = browser($site);
    my $answer = $in->get('/typed/x', 'kubeflow-userid' => 'mallory@example.com');
    is $answer->status, 500, 'AuthType Keycloak there: 500, and nobody gets in';
    ok !$answer->from_backend, 'not by the backend';
    like log_since($mark), qr{KC0003: AuthType Keycloak for /typed/x, but this server has no KeycloakIssuer}, 'and the log says why';
    for my $place (['bare-places', 'judge'], ['bare-list', 'sessions']) {
        my ($host, $handler) = @$place;
        for my $method (qw(GET POST OPTIONS)) {
            my $refused = browser($host)->request($method, "/$handler/x?user=alice", headers => ['Content-Length' => 0]);
            is $refused->status, 404, "$method: SetHandler keycloak-$handler says nothing";
            is_deeply [$refused->all('kubeflow-userid')], [], 'and names nobody';
        }
    }
    is $in->raw("OPTIONS * HTTP/1.1\r\nHost: $site.test\r\nConnection: close\r\n\r\n")->status, 200, 'OPTIONS * is httpd\'s own';
    ok $in->get('/authservice/whoami')->from_backend, 'addresses of ours are none here';
    my $seen = $in->get('/x', 'kubeflow-userid' => 'mallory@example.com')->json || {};
    is_deeply [headers_named($seen, 'kubeflow-userid')], [], 'no client names itself, for another host of the process is guarded';
};

subtest 'a whole httpd without KeycloakIssuer' => sub {
    my $site = 'all-off';
    my $server = Keycloak::Server->new($site, is_off => 1, lines => [@modules, place('/health', 'SetHandler keycloak-health'),
        place('/basic', @basic, '<RequireAll>', 'Require valid-user', 'Require not keycloak-role suspended', '</RequireAll>'),
        place('/role', @basic, 'Require keycloak-role user')]);
    local $ENV{KC_PORT} = $server->port;
    my $browser = browser($site);
    my $seen = $browser->get('/x', 'kubeflow-userid' => 'somebody', Connection => 'kubeflow-groups, close', 'kubeflow-groups' => 'x',
        Cookie => 'keycloak_session=x; a=b')->json || {};
    is join('|', headers_named($seen, 'kubeflow-userid')), 'somebody', 'headers are as the client sends them: nobody relies on ours';
    is join('|', headers_named($seen, 'Cookie')), 'keycloak_session=x; a=b', 'and cookies';
    is $browser->api('/basic/x', @bob)->status, 401, 'a Require of ours knows nothing of anybody: no';
    is $browser->api('/role/x', @bob)->status, 401, 'in either direction';
    for my $number (1, 2) {
        my $health = $browser->get('/health');
        is $health->status, 503, "probe $number: nothing is ready";
        is_deeply $health->json, { ready => JSON::PP::false(), problems => ['no server has KeycloakIssuer'] }, 'and why';
    }
    $server->end;
    unlike $server->log, qr/exit signal/, 'no child crashed';
};

done_testing;
