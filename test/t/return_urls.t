# SPDX-License-Identifier: Apache-2.0
# threats.md F: where a sign-in or a logout may return to.
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::World;

my $SITE = 'returns';
my $ORIGIN = browser($SITE)->origin;
my ($HOST) = $ORIGIN =~ m{//(.*)$};

# Where a sign-in with this return URL ends; one browser for each, as the count of rounds is for each.
sub led_to {
    my ($site, $text) = @_;
    my $response = browser($site)->sign_in('/authservice/login?return=' . escape($text));
    return $response->status == 303 ? $response->led_to : 'status ' . $response->status;
}

my @good = ('/', '/a', '/a/b?c=d&e=f', '/?x=//evil.example.com/', '/a?b=http://evil.example.com/', '/a%20b', '/-/x',
    '/a//b', '/.well/x', '/a;b=c');
for my $path (@good) {
    is led_to($SITE, $path), $path, "good: $path";
}
like led_to($SITE, "$ORIGIN/own?x=1"), qr{^(?:\Q$ORIGIN\E)?/own\?x=1$}, 'good: this very origin';

my @evil = (
    '//evil.example.com', '//evil.example.com/', '///evil.example.com', '////evil.example.com', '/\\evil.example.com',
    '\\\\evil.example.com', '\\/evil.example.com', '/\\/evil.example.com', '/%5cevil.example.com', '/%5C%5Cevil.example.com',
    '%5c%5cevil.example.com', '/%09/evil.example.com', "/\t/evil.example.com", "\t//evil.example.com", '/%2f/evil.example.com',
    '/%2Fevil.example.com', '%2f%2fevil.example.com', "/\r\nSet-Cookie: a=b", "/%0d%0aSet-Cookie:%20a=b", "/\nLocation: //evil.example.com",
    "/a\0b", '/%00//evil.example.com', ' //evil.example.com', "\x{0b}//evil.example.com", "/ /evil.example.com",
    "http://evil.example.com/", "https://evil.example.com", "HTTP://EVIL.EXAMPLE.COM/", "http:evil.example.com", "http:/evil.example.com",
    "http:///evil.example.com", "http:\\\\evil.example.com", "https:evil.example.com",
    "http://$HOST\@evil.example.com/", "http://evil.example.com\@$HOST/", "http://user:pass\@$HOST/", "//$HOST\@evil.example.com/",
    "http://returns.test.evil.example.com:$ENV{KC_PORT}/", "http://evilreturns.test:$ENV{KC_PORT}/", "http://x.returns.test:$ENV{KC_PORT}/",
    "http://returns.test.:$ENV{KC_PORT}/", "http://returns.test:1/", "http://returns.test/", "http://returns.test:$ENV{KC_PORT}x/",
    "http://returns.test:$ENV{KC_PORT}\\.evil.example.com/", "http://returns.test:$ENV{KC_PORT}#\@evil.example.com/",
    "https://$HOST/", "ftp://$HOST/", 'javascript:alert(1)', 'JavaScript:alert(1)', "java\tscript:alert(1)", 'javascript://%0aalert(1)',
    'data:text/html,x', 'vbscript:x', 'file:///etc/passwd', 'about:blank', 'x', '', '.', '..', '?x', '#x',
    "/\xe2\x81\x84/evil.example.com",        # fraction slash
    "\xef\xbc\x8f\xef\xbc\x8fevil.example.com", # fullwidth slashes
    "http://returns\xe3\x80\x82test:$ENV{KC_PORT}/",  # ideographic full stop
    "http://evil.example.com\xef\xbc\x8freturns.test/",
    '/' . 'x' x 9000,
);
for my $text (@evil) {
    (my $shown = length $text > 60 ? substr($text, 0, 60) . '...' : $text) =~ s/([^\x20-\x7e])/sprintf '\x%02x', ord $1/ge;
    my $end = led_to($SITE, $text);
    # 400 and 414 refuse the request before it is ours.
    like $end, qr{^(?:(?:\Q$ORIGIN\E)?/|status 4(?:00|14))$}, "F: $shown";
}

subtest 'F a page\'s own address as return URL' => sub {
    # Here the address is the request line's, not a parameter.
    for my $target ('//evil.example.com/x', '///evil.example.com', '/\\evil.example.com', '/%5cevil.example.com', '/%09/evil.example.com',
        '/%2f/evil.example.com', 'http://evil.example.com/x', "http://evil.example.com\@$HOST/") {
        my $browser = browser($SITE);
        my $back = $browser->authorize($browser->start($target));
        if (!defined $back) {
            pass "$target: no sign-in begins";
            next;
        }
        my $end = $browser->get($back)->header('Location') // '';
        unlike $end, qr{^(?:[a-z]+:)?[/\\]{2}(?!\Q$HOST\E/)|evil\.example\.com(?!.*\Q$HOST\E)|\\}i, "$target: stays here ($end)"
            if $end !~ m{^/[^/\\]};
        like $end, qr{^(?:\Q$ORIGIN\E)?/}, "$target: a path of this host";
    }
};

subtest 'whoever asked for an address comes back to it, byte for byte' => sub {
    my @asked = ('/stra%DFe.html', '/f%FCr/x?y=%FC', '/a/./b', '/%25foo', '/a?y=%FF%zz%', '/a/%2e/b', '/CORP%5Cjoe', '/a%2520b', '/a;b/..;c',
        '/%2525x?%25', '/a?x=' . 'q' x 2100, '/a?x=' . 'q%20r' x 440, '/a?' . join('&', map { "filter_$_=value%20$_" } 1 .. 240));
    for my $path (@asked) {
        (my $shown = $path) =~ s/^(.{40}).*$/$1 .../;
        is browser($SITE)->sign_in($path)->header('Location'), "$ORIGIN$path", "asked for: $shown";
        is led_to($SITE, $path), $path, "and by the login address: $shown";
    }
    is browser($SITE)->sign_in("/\xe4?\xc3\xa4")->header('Location'), "$ORIGIN/%E4?%C3%A4", 'bytes outside ASCII come back as their escapes';
};

# httpd merges slashes and walks dot segments for itself and, without nocanon, for a backend; what the browser asked for
# is written down nowhere but in the request line.
subtest 'and the backend sees it as if nobody had signed in between' => sub {
    my @asked = ('/a/./b', '/a/../b', '/a//b', '/./', '/./x', '/a/.', '/a/..', '/a/b/../../c', '/a/%2e/b', '/a/%2E%2e/b', '/a///b//', '/a/../b//c',
        '/%2e/x?y=/../z', '/a/./b?x=//evil.example.com');
    for my $path (@asked) {
        is browser($SITE)->sign_in($path)->header('Location'), "$ORIGIN$path", "asked for $path, as httpd comes";
        my $browser = browser('unfolded');
        my $back = $browser->sign_in($path)->header('Location') // '';
        is $back, $browser->origin . $path, "asked for $path, without MergeSlashes";
        my $seen = $browser->seen(substr $back, length $browser->origin) || {};
        is $seen->{target}, $path, 'and the backend sees it';
    }
    # each of them is another host to whoever reads it without the origin, and walks its dots
    for my $path ('//evil.example.com/x', '/.//evil.example.com', '/./%2fevil.example.com', '/a/..//evil.example.com', '/%2e//evil.example.com',
        '/a/%2e%2e//evil.example.com', '/..//evil.example.com', '/.;/%5Cevil.example.com', '/x/../../y') {
        for my $site ($SITE, 'unfolded') {
            my $browser = browser($site);
            my $start = $browser->get($path);
            my $back = $browser->authorize($start->header('Location'));
            if (!defined $back) {
                like $start->status, qr/^40[034]$/, "$site: $path: no sign-in begins";
                next;
            }
            is $browser->get($back)->header('Location'), $browser->origin . '/', "$site: $path leads nowhere else";
        }
    }
};

subtest 'what cannot be kept is said' => sub {
    my $mark = log_mark();
    my $noise = join '', map { sprintf '%02x', ($_ * 7919 * ($_ % 251 + 3)) % 256 } 1 .. 3500;
    is browser($SITE)->sign_in("/a?x=$noise")->header('Location'), "$ORIGIN/", 'too long, however it is written';
    like log_since($mark), qr/KC0314: return-lost: the address is \d+ bytes long/, 'is logged';
    unlike log_since($mark), qr/\Q@{[substr $noise, 0, 30]}\E/, 'without its query';
    $mark = log_mark();
    is browser($SITE)->sign_in('/%5cevil.example.com')->header('Location'), "$ORIGIN/", 'what could be read as another host';
    like log_since($mark), qr/KC0314: return-lost: .*another host/, 'is logged as well';
    $mark = log_mark();
    is browser($SITE)->sign_in('/')->header('Location'), "$ORIGIN/", 'the start page';
    unlike log_since($mark), qr/KC0314/, 'is not';
};

subtest 'a callback that the browser asks for ahead of its person is not used up' => sub {
    for my $header (['Sec-Purpose' => 'prefetch'], ['Sec-Purpose' => 'prefetch;prerender'], [Purpose => 'prefetch'], ['X-Moz' => 'prefetch'],
        ['X-Purpose' => 'preview']) {
        my $browser = browser($SITE);
        my $back = $browser->authorize($browser->start('/deep?x=1'));
        my $ahead = $browser->get($back, @$header);
        is $ahead->status, 503, "@$header: not answered";
        is_deeply [$ahead->all('Set-Cookie')], [], 'and no cookie set or deleted';
        is $browser->get($back)->header('Location'), "$ORIGIN/deep?x=1", 'the person signs in by it';
    }
};

subtest 'a stale cookie of the same name, of a parent domain' => sub {
    my $stale = 'keycloak_session=' . 'B' x 43;
    my $browser = signed_in($SITE) or return fail 'signing in';
    my $own = $browser->cookie_header;
    for my $cookie ("$own; $stale", "$stale; $own", "$own; keycloak_session=x", "$own; keycloak_session=", "$own; $own") {
        my $seen = $browser->seen('/x', Cookie => $cookie);
        is $seen && identity($seen), 'alice@example.com', 'does not sign anybody out';
        is_deeply [grep { /keycloak_session/ } headers_named($seen || {}, 'Cookie')], [], 'and the backend sees neither';
    }
    my $ended = signed_in($SITE) or return fail 'signing in';
    my $old = $ended->cookie_header;
    $ended->get('/authservice/logout');
    is identity($browser->seen('/x', Cookie => "$old; $own") || {}), 'alice@example.com', 'one whose session was ended';
    my $later = signed_in($SITE) or return fail 'signing in';
    is identity($browser->seen('/x', Cookie => "$own; " . $later->cookie_header) || {}), 'alice@example.com', 'two sessions of one person';
    is $browser->get('/authservice/logout', Cookie => "$stale; $own", 'Sec-Fetch-Site' => 'same-origin')->status, 303, 'signing out';
    ok !browser($SITE)->seen('/x', Cookie => $own), 'ends the one';
    my $five = join '; ', map { 'keycloak_session=' . $_ x 43 } qw(C D E F);
    ok !browser($SITE)->seen('/x', Cookie => "$five; " . $later->cookie_header), 'nobody looks five up';
};

subtest 'SameSite Strict' => sub {
    my $browser = browser('strict');
    my $origin = $browser->origin;
    my $answer = $browser->get($browser->authorize($browser->start('/deep?a=1&b="')), 'Sec-Fetch-Site' => 'cross-site');
    is $answer->status, 200, 'the callback is a page, whose next request the browser has the cookie with';
    like $answer->header('Refresh'), qr{^0;url=\Q$origin\E/deep\?a=1&b="$}, 'it leads on by itself';
    like $answer->text, qr{<meta http-equiv="refresh" content="0;url=\Q$origin\E/deep\?a=1&amp;b=&quot;">}, 'in both ways';
    ok $browser->session, 'with a session';
    # what a link of another site's, followed by a browser that has the session, is for us
    my $visit = $browser->get('/linked?x=1', Cookie => undef, 'Sec-Fetch-Site' => 'cross-site');
    is $visit->status, 200, 'a link elsewhere';
    is $visit->header('Refresh'), '0;url=/linked?x=1', 'is asked for once more';
    is_deeply [$visit->all('Set-Cookie')], [], 'and nothing else is done';
    ok $browser->seen('/linked?x=1', 'Sec-Fetch-Site' => 'same-origin'), 'with the cookie';
    ok asked_to_sign_in($browser->get('/linked', Cookie => undef, 'Sec-Fetch-Site' => 'same-origin'), 'strict'), 'who has none signs in';
    is $browser->get('/linked', Cookie => undef, 'Sec-Fetch-Site' => 'cross-site', Accept => 'application/json')->status, 401, 'a script gets 401';
};

subtest 'F return given twice' => sub {
    my $browser = browser($SITE);
    my $response = $browser->sign_in('/authservice/login?return=%2Fa&return=%2F%2Fevil.example.com');
    unlike $response->header('Location') // '', qr/evil/, 'never the evil one';
};

subtest 'F login when one is signed in already' => sub {
    my $browser = signed_in($SITE) or return fail 'signing in';
    for my $text ('//evil.example.com', 'https://evil.example.com/', '/\\evil.example.com') {
        my $response = $browser->get('/authservice/login?return=' . escape($text));
        unlike $response->header('Location') // '', qr{^(?:https?:)?[/\\]{2}evil|\\}, "$text: not followed";
    }
};

subtest 'F KeycloakReturnHosts' => sub {
    is led_to('return-hosts', 'https://partner.example.com/x'), 'https://partner.example.com/x', 'a listed host';
    for my $text ('https://evil.partner.example.com/', 'https://partner.example.com.evil.example.com/', 'https://partner.example.com:444/',
        'https://partner.example.com.', 'https://x@partner.example.com/', 'javascript://partner.example.com/%0aalert(1)', '//partner.example.com/',
        'https://partner.example.com\\@evil.example.com/') {
        like led_to('return-hosts', $text), qr{^(?:http://return-hosts\.test:\d+)?/$|^//partner\.example\.com/$|^status 400$}, "F: $text";
    }
    unlike led_to('return-hosts', '//evil.example.com/'), qr/evil/, 'and no other';
};

subtest 'F after logout' => sub {
    my $evil = escape('https://evil.example.com/');
    for my $name (qw(return post_logout_redirect_uri redirect_uri rd next url)) {
        my $browser = signed_in($SITE) or return fail 'signing in';
        my $response = $browser->get("/authservice/logout?$name=$evil");
        my $query = query_of($response->header('Location'));
        is $browser->back_from_logout($query)->header('Location'), "$ORIGIN/", "$name does not change where people arrive";
    }
    my $response = browser($SITE)->get("/authservice/logout?return=$evil");
    unlike $response->header('Location') // '', qr{^[^?]*evil}, 'nor without a session';
};

done_testing;
