# SPDX-License-Identifier: Apache-2.0
# What is logged about a user at which LogLevel, set for a host, a location, or a module.
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::Server;
use Keycloak::World;

use constant { SITE => 'levels', FORM => 'application/x-www-form-urlencoded', LIST => '/authservice/sessions' };

# Hosts by how much they tell: all, what is no debugging, and what is wrong; lines of the host, and of its place /.
my %hosts = (
    'all'          => [2, ['LogLevel debug'], []],
    'all-module'   => [2, ['LogLevel error auth_keycloak:debug'], []],
    'all-other'    => [2, ['LogLevel debug core:error'], []],
    'all-place'    => [2, ['LogLevel error'], ['LogLevel debug']],
    'all-mine'     => [2, ['LogLevel error core:warn'], ['LogLevel auth_keycloak:debug']],
    'all-lately'   => [2, ['LogLevel error'], ['LogLevel debug core:error']],
    'some'         => [1, ['LogLevel info'], []],
    'some-module'  => [1, ['LogLevel debug auth_keycloak:info'], []],
    'some-place'   => [1, ['LogLevel debug'], ['LogLevel auth_keycloak:info']],
    'few'          => [0, ['LogLevel error'], []],
    'few-module'   => [0, ['LogLevel debug auth_keycloak:error'], []],
    'few-place'    => [0, ['LogLevel debug'], ['LogLevel error']],
    'few-mine'     => [0, ['LogLevel debug'], ['LogLevel auth_keycloak:error']],
);
my @lines;
for my $name (sort keys %hosts) {
    my ($much, $host, $place) = @{ $hosts{$name} };
    push @lines, '<VirtualHost *:*>', "ServerName $name.test", @$host, '<Location />', @$place, '</Location>', '</VirtualHost>';
}
my $server = Keycloak::Server->new(SITE, lines => \@lines);
local $ENV{KC_PORT} = $server->port;
my $realm = realm(SITE);

# The session of somebody, whose name tells the host, and its sid.
sub person {
    my ($host, $part, %change) = @_;
    $realm->set(user => { sub => "sub-$part-$host", email => "$part-$host\@example.com" }, lifetime => 3000, %change);
    my $browser = browser($host);
    my $answer = $browser->sign_in('/');
    $answer->status == 303 or die "no sign-in at $host: " . $answer->text;
    return wantarray ? ($browser, (realm(SITE)->log('token'))[-1]{answer}{session_state}) : $browser;
}

# says(HOST, LEVEL, WHAT => LINE, ...): since the mark the log has each of these lines where that much is told, and else none.
sub says {
    my ($host, $mark, $level, %wanted) = @_;
    my $log = substr $server->log, $mark;
    for my $what (sort keys %wanted) {
        my $is_told = $level <= $hosts{$host}[0];
        is scalar(() = $log =~ /^.*\[auth_keycloak:\w+\].*$wanted{$what}/mg), $is_told ? 1 : 0, "$host: $what is " . ($is_told ? 'told' : 'not told') or diag $log;
    }
    return;
}

sub mark { return length $server->log }

for my $host (sort keys %hosts) {
    subtest "$host: sign-in and sign-out" => sub {
        my $mark = mark();
        my ($browser, $sid) = person($host, 'alice');
        says($host, $mark, 2, 'the sign-in\'s begin' => 'KC0607: sign-in begins: client app, redirect URI http://');
        says($host, $mark, 1, 'the sign-in' => "KC0601: signed in: alice-$host\@example.com, sub sub-alice-$host");
        $mark = mark();
        is browser($host)->api('/x')->status, 401, 'a stranger\'s script is refused';
        says($host, $mark, 2, 'that' => 'KC0101: login-required: ');
        $mark = mark();
        my $other = person($host, 'alice');
        my ($one) = grep { !$_->{current} } @{ $browser->api(LIST)->json->{sessions} };
        is $browser->post(LIST, "end=$one->{id}", Accept => 'application/json', 'Content-Type' => FORM)->status, 200, 'another session of hers is ended';
        says($host, $mark, 1, 'that' => "KC0602: signed out: another session of alice-$host\@example.com");
        $mark = mark();
        is $browser->get('/authservice/logout')->status, 303, 'she signs out';
        says($host, $mark, 1, 'that' => "KC0602: signed out: alice-$host\@example.com");
        $browser = person($host, 'alice');
        $mark = mark();
        is $browser->post(LIST, 'end=all', Accept => 'application/json', 'Content-Type' => FORM)->status, 201, 'all her sessions are ended';
        says($host, $mark, 1, 'that' => "KC0603: signed out: all sessions of alice-$host\@example.com");
        $mark = mark();
        is browser($host)->get('/authservice/oidc/callback?state=none&code=none')->status, 400, 'a callback of nobody\'s is refused';
        says($host, $mark, 1, 'that' => 'KC03\d\d: ');
    };
    subtest "$host: the provider signs out" => sub {
        my ($browser, $sid) = person($host, 'bob');
        my $told = sub {
            my $token = 'logout_token=' . escape($realm->logout_token(@_));
            return browser($host)->post('/authservice/backchannel-logout', $token, 'Content-Type' => FORM)->status;
        };
        my $mark = mark();
        is $browser->get('/authservice/frontchannel-logout?iss=' . escape("$ENV{KC_PROVIDER}/realms/" . SITE) . "&sid=$sid")->status, 200, 'by a page';
        says($host, $mark, 1, 'that' => "KC0606: signed out by the provider's page: bob-$host\@example.com");
        $mark = mark();
        is $told->(set => { sub => "sub-bob-$host", sid => $sid }), 200, 'a session';
        says($host, $mark, 1, 'that' => "KC0605: signed out by the provider: a session of sub sub-bob-$host");
        $mark = mark();
        is $told->(set => { sub => "sub-bob-$host" }, delete => ['sid']), 200, 'all of them';
        says($host, $mark, 1, 'that' => "KC0605: signed out by the provider: all sessions of sub sub-bob-$host");
        $mark = mark();
        is $told->(set => { sid => $sid }, delete => ['sub']), 200, 'one of somebody';
        says($host, $mark, 1, 'that' => 'KC0605: signed out by the provider: a session of an unknown user');
    };
}

# Tokens that cannot be renewed: by the realm's word, which ends the session, or because it cannot.
for my $host (sort keys %hosts) {
    subtest "$host: tokens that are not renewed" => sub {
        my $due = sub {
            my $browser = person($host, 'carol', lifetime => 1);
            $realm->set(faults => { token => { kind => 'status', early => 1, @_ } });
            return $browser;
        };
        my $browser = $due->(status => 400, body => '{"error":"invalid_grant"}');
        my $mark = mark();
        ok wait_until(sub { asked_to_sign_in($browser->get('/x'), SITE) }), 'the realm ends the session';
        says($host, $mark, 1, 'that' => "KC0311: the session of carol-$host\@example.com ends, its tokens could not be renewed");
        $realm->set(faults => {});
        $browser = $due->(status => 500);
        my $before = $realm->log('token');
        $mark = mark();
        ok wait_until(sub { $browser->get('/x')->status == 200 && $realm->log('token') > $before }), 'the realm is ill';
        says($host, $mark, 1, 'that' => "the session of carol-$host\@example.com goes on although its tokens could not be renewed");
        $realm->set(faults => {});
    };
}

# httpd's own lines, which the module writes for it without what no log is to show.
my %own = (
    'core and http alone'  => ['LogLevel error core:trace5 http:trace4'],
    'with this module too' => ['LogLevel trace5 auth_keycloak:trace8'],
    'by a place'           => ['LogLevel error core:trace5 http:trace4', '<Location />', 'LogLevel debug http:trace4', '</Location>'],
);
my $count = 0;
for my $name (sort keys %own) {
    subtest "httpd's own lines: $name" => sub {
        my $its = SITE . '-own-' . ++$count;
        my $other = Keycloak::Server->new($its, lines => [@{ $own{$name} }, 'KeycloakBearer on']);
        local $ENV{KC_PORT} = $other->port;
        my $browser = signed_in($its) or return fail 'signing in';
        is $browser->get('/mine?a=b', Authorization => 'Bearer canary-token-of-no-use')->status, 401, 'a page';
        is $browser->get('/mine?a=b')->status, 200, 'another page';
        is browser($its)->raw("GET /odd HTTP/1.1\r\nHost: a b\r\n\r\n")->status, 400, 'a request that is none';
        $other->stop;
        my $log = $other->log;
        is scalar(() = $log =~ m{\[core:trace5\].*Request received from client: GET /mine\?a=b HTTP/1\.1$}mg), 2, 'core tells each request line' or diag $log;
        is scalar(() = $log =~ m{\[core:trace5\].*Request received from client: GET /authservice/oidc/callback HTTP/1\.1$}mg), 1, 'the callback\'s without its query';
        like $log, qr{\[http:trace4\].*  Accept: text/html}, 'http tells headers that came';
        like $log, qr{\[http:trace4\].*  X-Backend: yes}, 'and those that go';
        unlike $log, qr/canary-token-of-no-use/, 'but no token';
        unlike $log, qr/Cookie: keycloak_|Location: .*state=/, 'no cookie, and no state';
    };
}

subtest 'each line of the module has a tag' => sub {
    my @lines = grep { /\[auth_keycloak:\w+\]/ } split /\n/, $server->log;
    cmp_ok scalar(@lines), '>', 50, 'there are lines';
    my @bare = grep { !/\[auth_keycloak:\w+\] (?:\[[^\]]*\] |\S+\.c\(\d+\): )*KC\d{4}: / } @lines;
    is scalar(@bare), 0, 'none without' or diag join "\n", @bare;
};

done_testing;
