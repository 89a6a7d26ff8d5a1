# SPDX-License-Identifier: Apache-2.0
# threats.md A 21-23, K 156, 159, N 175, R 213: tokens that are renewed, by one request, and tokens of another user.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);
use Keycloak::Expect;
use Keycloak::World;

use constant CROWD => 30;
use constant OVER => 1.1;    # seconds after which the tokens of short_lived are due

# The token endpoint's refreshes.
sub refreshes {
    my $name = shift;
    return scalar grep { grep { "@$_" eq 'grant_type refresh_token' } @{ $_->{params} } } realm($name)->log('token');
}

# So many requests of one browser at once: their statuses.
sub storm {
    my ($name, $cookie) = @_;
    my @sockets = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $ENV{KC_PORT}) or die "connect: $!\n" } 1 .. CROWD;
    for my $socket (@sockets) {
        print $socket "GET /page HTTP/1.1\r\nHost: $name.test:$ENV{KC_PORT}\r\nAccept: text/html\r\nCookie: $cookie\r\nConnection: close\r\n\r\n";
        $socket->flush;
    }
    local $/;
    return map { (scalar(<$_>) // '') =~ m{^HTTP/1.1 (\d+)} ? $1 : 'none' } @sockets;
}

# Signs in with tokens that last a second, after which ordinary ones come.
sub short_lived {
    my $name = shift;
    realm($name)->set(lifetime => 1);
    my $browser = signed_in($name) or return;
    realm($name)->set(lifetime => 300);
    return $browser;
}

subtest '21 tokens are renewed, and the session goes on as it was' => sub {
    my $browser = short_lived('refresh') or return fail 'signing in';
    my $id = $browser->session;
    realm('refresh')->set(user => { groups => ['/team-c'] });
    ok wait_until(sub { $browser->get('/x'); refreshes('refresh') }), 'they are renewed when their time is over';
    my $seen = $browser->seen;
    is identity($seen), 'alice@example.com', 'it is still alice';
    is join('|', headers_named($seen, 'kubeflow-groups')), 'team-c', 'with the groups that she has now';
    is $browser->session, $id, 'under the same cookie';
    is refreshes('refresh'), 1, 'by one request';
    realm('refresh')->reset;
};

subtest '175 a crowd at the end of the tokens: one refresh' => sub {
    my $browser = short_lived('refresh-crowd') or return fail 'signing in';
    sleep OVER;
    my @answers = storm('refresh-crowd', $browser->cookie_header);
    is join(' ', grep { $_ ne 200 } @answers), '', 'all are served';
    is refreshes('refresh-crowd'), 1, 'one refresh';
};

my %foreign = (
    '22 another issuer' => { set => { iss => 'https://elsewhere.example.com' } },
    '23 another sub' => { set => { sub => 'somebody-else' } },
    'another auth_time' => { offset => { auth_time => -1000 } },
    'another nonce' => { nonce_of => 'other' },
    '60 no signature' => { alg => 'none' },
    'another audience' => { set => { aud => 'other', azp => 'other' } },
);
for my $what (sort keys %foreign) {
    subtest "$what in a renewed ID token ends the session" => sub {
        my $browser = short_lived('refresh-other') or return fail 'signing in';
        realm('refresh-other')->set(id_token => $foreign{$what});
        my $before = refreshes('refresh-other');
        my $answer;
        ok wait_until(sub { $answer = $browser->get('/x'); refreshes('refresh-other') > $before }), 'it comes';
        ok asked_to_sign_in($answer, 'refresh-other'), 'and is refused' or diag $answer->status;
        my $hits = hits('refresh-other');
        realm('refresh-other')->reset;
        ok asked_to_sign_in($browser->get('/x'), 'refresh-other'), 'for good';
        is hits('refresh-other'), $hits, 'the backend is not reached';
    };
}

subtest '159 invalid_grant ends the session' => sub {
    my $browser = short_lived('refresh-refused') or return fail 'signing in';
    realm('refresh-refused')->set(faults => { token => { kind => 'status', status => 400, body => '{"error":"invalid_grant"}' } });
    ok wait_until(sub { asked_to_sign_in($browser->get('/x'), 'refresh-refused') }), 'at the next renewal';
    realm('refresh-refused')->reset;
    ok asked_to_sign_in($browser->get('/x'), 'refresh-refused'), 'for good';
};

my %faults = (
    '500' => { kind => 'status', status => 500 }, '429' => { kind => 'status', status => 429 },
    'a reset connection' => { kind => 'drop' }, 'HTML' => { kind => 'html' },
);
# Keycloak's answers when an administrator has disabled, deleted or changed something, and what the log says to do.
my $client = 'check that the client is enabled, KeycloakClientID and KeycloakClientSecret';
my %stops = (
    'a client that is disabled' => [401, 'invalid_client', 'Invalid client or Invalid client credentials', 'KC0309', $client],
    'a client with another secret' => [401, 'unauthorized_client', 'Invalid client or Invalid client credentials', 'KC0309', $client],
    'a client that is bearer-only' => [400, 'invalid_client', 'Bearer-only not allowed', 'KC0309', $client],
    'a realm that is disabled' => [403, 'access_denied', 'Realm not enabled', 'KC0308', 'check that the realm of KeycloakIssuer is enabled'],
    'a realm that is deleted' => [404, 'Realm does not exist', undef, 'KC0308', 'check that the realm of KeycloakIssuer exists'],
);
my %told;
for my $what (keys %stops) {
    my ($status, $error, $description, $tag, $advice) = @{ $stops{$what} };
    my $body = $description ? qq({"error":"$error","error_description":"$description"}) : qq({"error":"$error"});
    $faults{$what} = { kind => 'status', status => $status, body => $body };
    my $text = $tag eq 'KC0309' ? "$error ($description): $advice" : "$error: @{[$description // '']}; $advice";
    $told{$what} = qr/\[auth_keycloak:warn\][^\n]*\Q$tag: the session of alice\E\@\Qexample.com goes on although its tokens could not be renewed: $text\E/;
}
for my $what (sort keys %faults) {
    subtest "156, 159 $what does not" => sub {
        my $browser = short_lived('refresh-faults') or return fail 'signing in';
        my $mark = log_mark();
        # early: the refresh token is not spent, so that a renewal after the fault may come at any time
        realm('refresh-faults')->set(faults => { token => { %{ $faults{$what} }, early => 1 } });
        sleep OVER;
        is identity($browser->seen), 'alice@example.com', 'she goes on' for 1 .. 5;
        ok wait_until(sub { log_since($mark) =~ $told{$what} }), 'the log says who, why, and what to look at' or diag log_since($mark) if $told{$what};
        realm('refresh-faults')->reset;
        is identity($browser->seen), 'alice@example.com', 'also afterwards';
    };
}

subtest 'consent that was revoked does' => sub {
    my $browser = short_lived('refresh-refused') or return fail 'signing in';
    my $mark = log_mark();
    realm('refresh-refused')->set(faults => { token => { kind => 'status', status => 400,
        body => '{"error":"invalid_scope","error_description":"Client no longer has requested consent from user"}' } });
    ok wait_until(sub { asked_to_sign_in($browser->get('/x'), 'refresh-refused') }), 'at the next renewal';
    ok wait_until(sub { log_since($mark) =~ /KC0311: the session of alice\@example\.com ends, its tokens could not be renewed: invalid_scope/ }), 'the log says so';
    realm('refresh-refused')->reset;
    ok asked_to_sign_in($browser->get('/x'), 'refresh-refused'), 'for good';
};

# ---- past its grace a session cannot go on without new tokens; but nobody waits where none can be had

use constant LIFETIME => 10;    # seconds of tokens, long enough to sign in with them on a busy machine

# A browser whose tokens are over, which is the end of them at this site, and which nobody has tried to renew.
sub stale {
    my $name = shift;
    realm($name)->set(lifetime => LIFETIME);
    my $browser = signed_in($name) or return;
    realm($name)->set(lifetime => 300);
    my $end = time + LIFETIME + 1;
    wait_until(sub { time >= $end }) or return;
    return $browser;
}

# A request that lasts as long as KeycloakHTTPTimeout says, by httpd's own clock: what is answered before it is has
# waited for less.
sub yardstick {
    my $name = shift;
    my $browser = browser($name);
    my $back = $browser->authorize($browser->start('/')) or return;
    realm($name)->set(faults => { token => { kind => 'hang', early => 1 } });
    my $socket = $browser->_connect;
    print $socket "GET $back HTTP/1.1\r\nHost: $name.test:$ENV{KC_PORT}\r\nAccept: text/html\r\nCookie: @{[$browser->cookie_header]}\r\nConnection: close\r\n\r\n";
    $socket->flush;
    wait_until(sub { fetched($name, 'token') }) or return;
    return $socket;
}

my %failures = (
    'the token endpoint said 503 once' => { faults => { token => { kind => 'status', status => 503, early => 1 } } },
    "the client's secret was changed"  => { client => { secret => 'another one' } },
    'the realm was disabled' => { faults => { token => { kind => 'status', status => 403, early => 1,
        body => '{"error":"access_denied","error_description":"Realm not enabled"}' } } },
);
for my $what (sort keys %failures) {
    subtest "213 past its grace a session waits for nobody after $what" => sub {
        my $site = 'refresh-stale';
        my $browser = stale($site) or return fail 'signing in';
        my $hits = hits($site);
        my $before = refreshes($site);
        my $mark = log_mark();
        my $yardstick = yardstick('refresh-yardstick') or return fail 'the yardstick';
        realm($site)->set(%{ $failures{$what} });
        is $browser->api('/inside')->status, 401, 'its tokens are not renewed: refused';
        is refreshes($site), $before + 1, 'by the one request that asked for it';
        ok wait_until(sub { log_since($mark) =~ /KC0102: session-ended: the session of alice\@example\.com: its tokens could not be renewed: \S/ }),
            'the log says whose, and why' or diag log_since($mark);
        for my $number (1 .. 5) {
            my $tries = refreshes($site);
            is $browser->api('/inside')->status, 401, 'so is the next, or the one after a pause';
            cmp_ok refreshes($site) - $tries, '<=', 1, 'which asks once at most';
        }
        is hits($site), $hits, 'the backend is not reached';
        realm($site)->reset;
        like $browser->api('/inside')->status, qr/^(?:200|401)$/, 'well again: served, or refused during the pause';
        ok !IO::Select->new($yardstick)->can_read(0), 'none of them has waited as long as KeycloakHTTPTimeout';
        close $yardstick;
        realm('refresh-yardstick')->reset->forget;
        ok wait_until(sub { $browser->api('/inside')->status == 200 }), 'served when the pause is over';
        is identity($browser->seen), 'alice@example.com', 'as the same person';
    };
}

done_testing;
