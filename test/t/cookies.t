# SPDX-License-Identifier: Apache-2.0
# threats.md G: cookies, the module's and others.
use strict;
use warnings;
use Test::More;
use JSON::PP qw(decode_json);
use Keycloak::Browser;
use Keycloak::Expect;
use Keycloak::Server;
use Keycloak::Memcached;
use Keycloak::World;

my $A = 'cookies-a';
my $in = signed_in($A) or die 'cannot sign in' . "\n";
my $session = 'keycloak_session=' . $in->session;

sub in_ok {
    my ($cookie, $name) = @_;
    return is identity(browser($A)->seen('/x', Cookie => $cookie)), 'alice@example.com', $name;
}

sub out_ok {
    my ($cookie, $name) = @_;
    my $before = hits($A);
    my $response = browser($A)->get('/x', Cookie => $cookie);
    ok asked_to_sign_in($response, $A), $name or diag $response->text;
    return is hits($A), $before, 'the backend is not reached';
}

in_ok $session, 'the session alone is let in';

subtest '101 16 KiB of cookies' => sub {
    in_ok 'a=' . 'x' x 16_000 . "; $session", 'before ours';
    in_ok "$session; a=" . 'x' x 16_000, 'after ours';
    in_ok join('; ', (map { "c$_=" . 'x' x 150 } 1 .. 100), $session), 'a hundred of them';
    out_ok 'keycloak_session=' . 'x' x 16_000, 'as our own value';
};

subtest '102 duplicate names' => sub {
    my $other = 'keycloak_session=' . 'B' x 43;
    for my $cookie ("$session; $other", "$other; $session", "$session; keycloak_session=", "$session; $session") {
        my $before = hits($A);
        my $response = browser($A)->get('/x', Cookie => $cookie);
        # Which of two is the true one nobody knows: either it is the true session, or nobody's.
        ok asked_to_sign_in($response, $A)
            || ($response->from_backend && identity($response->json) eq 'alice@example.com'), 'alice or nobody';
    }
    # Several lines, which no browser sends over HTTP/1.1, come to us joined by a comma; a comma is also what another host
    # of the domain can put into a value of its own.
    my $response = browser($A)->raw("GET /x HTTP/1.1\r\nHost: $A.test:$ENV{KC_PORT}\r\nAccept: text/html\r\nConnection: close\r\n"
        . "Cookie: theme=dark\r\nCookie: $session\r\n\r\n");
    ok asked_to_sign_in($response, $A) || identity($response->json || {}) eq 'alice@example.com', 'two Cookie lines: alice or nobody';
    in_ok "a=b, $other; $session", 'a comma does not begin a cookie';
    out_ok "a=b, $session", 'not even ours';
};

subtest '102 cookies in several fields of HTTP/2' => sub {
    my $browser = signed_in('secure', tls => 1) or return fail 'signing in';
    open my $pipe, '-|', 'curl', '-sS', '--http2', '--max-time', 60, '--cacert', "$ENV{KC_ROOM}/ca.pem",
        '--connect-to', "secure.test:$ENV{KC_HTTPS_PORT}:127.0.0.1:$ENV{KC_HTTPS_PORT}",
        '-H', 'Cookie: theme=dark', '-H', 'Cookie: ' . $browser->cookie_header, '-H', 'Cookie: lang=de', $browser->origin . '/x'
        or die "curl: $!";
    my $seen = eval { decode_json(do { local $/; <$pipe> }) } || {};
    close $pipe;
    is identity($seen), 'alice@example.com', 'are one header';
    is join('|', headers_named($seen, 'Cookie')), 'theme=dark; lang=de', 'and ours is taken out of it';
};

subtest '104 fifty stale login cookies' => sub {
    my $stale = join '; ', map { sprintf 'keycloak_login_%016d=%s', $_, 'x' x 200 } 1 .. 50;
    in_ok "$stale; $session", 'who is signed in goes on';
    my $browser = browser($A);
    $browser->jar->{ sprintf 'keycloak_login_%016d', $_ } = 'x' x 200 for 1 .. 50;
    my $back = $browser->authorize($browser->start('/x'));
    my @names = $browser->login_names;
    cmp_ok scalar(@names), '<=', 5, 'a new sign-in makes room';
    is $browser->get($back)->status, 303, 'and works';
};

subtest '105 odd cookie headers' => sub {
    in_ok $_, 'in: ' . s/\Q$session\E/S/r
        for "$session;", ";;$session", ";; ; $session ;;", "novalue; $session", "=x; $session", "a=\"; $session", "a=\"b;c\"; $session",
            "$session; =", "a==b; $session", "  $session  ", "a=b;$session", "keycloak_session2=x; $session", "xkeycloak_session=x; $session";
    out_ok $_, 'out: ' . s/\Q$session\E/S/r
        for '', ';', ';;;', '=', 'keycloak_session', 'keycloak_session=', 'keycloak_session=;', 'keycloak_session=""',
            "x$session", uc $session, 'Keycloak_Session=' . $in->session, 'keycloak_session ="' . $in->session . '"', "a=\"$session\"";
};

subtest '107 a malformed id costs no look-up' => sub {
    my $store = Keycloak::Memcached->new;
    my $gets = sub { $store->stat('cmd_get') };
    my $site = 'memcached';
    my $good = signed_in($site) or return fail 'signing in';
    my $before = $gets->();
    ok $good->get('/x')->from_backend, 'a session is looked up';
    cmp_ok $gets->(), '>', $before, 'in memcached';
    my $id = $good->session;
    # In the background the module looks at what signing out has left behind, minutes apart: one round of three is without that.
    my $made;
    for my $round (1 .. 3) {
        $before = $gets->();
        for my $bad ('x', substr($id, 0, 42), "${id}A", 'A' x 42 . '=', 'A' x 42 . '.', 'A' x 42 . '%', '../' . 'A' x 40, 'A' x 42 . "\x{e4}",
            'a b' . 'A' x 40, substr($id, 0, 42) . '*', 'A' x 300) {
            ok !browser($site)->get('/x', Cookie => "keycloak_session=$bad")->from_backend, 'refused';
        }
        $made = $gets->() - $before or last;
    }
    is $made, 0, 'no look-up was made';
    # 43 characters carry 258 bits: two are left over, and must be zero.
    my @spellings = grep { $_ ne $id } map { substr($id, 0, 42) . $_ } 'A' .. 'Z', 'a' .. 'z', 0 .. 9, '-', '_';
    is scalar(grep { browser($site)->get('/x', Cookie => "keycloak_session=$_")->from_backend } @spellings), 0,
        'no other spelling of the id opens the session';
};

subtest '108 the cookie of one site at another' => sub {
    my $before = hits('cookies-b');
    my $response = browser('cookies-b')->get('/x', Cookie => $session);
    ok asked_to_sign_in($response, 'cookies-b'), 'opens nothing';
    my $b = signed_in('memcached') or return fail 'signing in';
    $response = browser('memcached-b')->get('/x', Cookie => $b->cookie_header);
    ok asked_to_sign_in($response, 'memcached-b'), 'nor where both keep their sessions in one memcached';
    is hits('cookies-b'), $before, 'the backend is not reached';
    is hits('memcached-b'), 0, 'the other neither';
};

subtest '109 our cookies never reach the backend' => sub {
    my $all = "a=1; $session; keycloak_login_AAAAAAAAAAAAAAAA=x; b=2; keycloak_rounds=1; __Host-keycloak_session=y; c=3";
    my $seen = browser($A)->seen('/x', Cookie => $all);
    my @cookies = headers_named($seen, 'Cookie');
    unlike "@cookies", qr/keycloak_session|keycloak_login|keycloak_rounds/, 'none of ours';
    like "@cookies", qr/a=1; b=2; (?:__Host-keycloak_session=y; )?c=3/, 'all others';
    $seen = browser($A)->seen('/x', Cookie => $session);
    is scalar(headers_named($seen, 'Cookie')), 0, 'no empty Cookie header either';
    my $public = browser('headers')->seen('/public/x', Cookie => 'keycloak_session=' . 'A' x 43 . '; keycloak_login_AAAAAAAAAAAAAAAA=x; d=4');
    is join('|', headers_named($public, 'Cookie')), 'd=4', 'nor on public paths';
};

subtest '110 flags on every Set-Cookie' => sub {
    my @lines;
    for my $row ([browser($A), 0], [browser('secure', tls => 1), 1]) {
        my ($browser, $secure) = @$row;
        my $start = $browser->get('/x');
        my $back = $browser->authorize($start->header('Location'));
        my $callback = $browser->get($back);
        my $spent = browser($browser->{site}, tls => $secure)->get($back);
        my $logout = $browser->get('/authservice/logout');
        my @set = map { $_->all('Set-Cookie') } $start, $callback, $spent, $logout;
        cmp_ok scalar(@set), '>=', 4, 'cookies are set and deleted';
        for my $line (@set) {
            (my $shown = $line) =~ s/=[^;]*/=.../;
            like $line, qr/;\s*Path=\/(?:;|$)/, "$shown: Path=/";
            like $line, qr/;\s*HttpOnly(?:;|$)/i, 'HttpOnly';
            like $line, qr/;\s*SameSite=Lax(?:;|$)/i, 'SameSite=Lax';
            unlike $line, qr/;\s*Domain=/i, 'no Domain';
            if ($secure) {
                like $line, qr/;\s*Secure(?:;|$)/i, 'Secure';
                like $line, qr/^__Host-/, '__Host-';
            } else {
                unlike $line, qr/^__Host-|^__Secure-/, 'no prefix over http';
            }
        }
    }
};

subtest '110 a cookie that browsers keep' => sub {
    my $browser = browser('cookies-kept');
    my $first;
    for my $turn (1, 2) {
        my $callback = $browser->get($browser->authorize($browser->get('/authservice/login?return=/x')->header('Location')));
        my ($line) = grep { /^keycloak_session=/ } $callback->all('Set-Cookie');
        ok defined $line, "sign-in $turn sets it" or return;
        my ($id, $age) = $line =~ /^keycloak_session=([^;]+);.*; Max-Age=(\d+);/ or return fail "no Max-Age in $line";
        cmp_ok $age, '<=', 7200, 'no longer than the session lasts';
        cmp_ok $age, '>', 7000, 'and as long';
        isnt $id, $first // '', 'under a new id';
        $first = $id;
        my ($gone) = grep { /^keycloak_session=;/ } $browser->get('/authservice/logout')->all('Set-Cookie');
        like $gone // '', qr/; Max-Age=0; Expires=Thu, 01 Jan 1970/, 'a sign-out deletes it';
    }
    ok asked_to_sign_in(browser('cookies-kept')->get('/x', Cookie => "keycloak_session=$first"), 'cookies-kept'),
        'a browser that has kept it signs in';
};

subtest '110 with KeycloakCookieDomain' => sub {
    my $browser = signed_in('secure-domain', tls => 1, host => 'a.secure-domain.test') or return fail 'signing in';
    is $browser->session_name, '__Secure-keycloak_session', 'the prefix is __Secure-';
    is identity(browser('secure-domain', tls => 1, host => 'b.secure-domain.test')->seen('/x', Cookie => $browser->cookie_header)),
        'alice@example.com', 'the session counts on the other hosts of the site';
};

subtest 'our own cookies pass whatever filters other modules have' => sub {
    my @modules = grep { -e "$ENV{KC_MODULES}/mod_$_.so" } qw(reqtimeout headers deflate filter);
    my $server = Keycloak::Server->new('cookies-modules', lines => [(map { "LoadModule ${_}_module $ENV{KC_MODULES}/mod_$_.so" } @modules),
        'RequestReadTimeout header=20-40,MinRate=500 body=20,MinRate=500']);
    my $browser = Keycloak::Browser->new('cookies-modules');
    $browser->{port} = $server->port;
    my $start = $browser->get('/x');
    is $start->status, 302, 'a sign-in begins';
    is scalar($browser->login_names), 1, 'and its cookie arrives';
    unlike $server->log, qr/KC0120/, 'nobody takes it for a backend\'s';
    is $browser->get($browser->authorize($start->header('Location')))->status, 303, 'it ends in one round';
    ok $browser->session, 'with a session';
    is identity($browser->seen), 'alice@example.com', 'that counts';
};

done_testing;
