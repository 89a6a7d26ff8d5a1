# SPDX-License-Identifier: Apache-2.0
# threats.md E: the callback, with everything that can be sent to it.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use Keycloak::Expect;
use Keycloak::World;

my $SITE = 'callback';
works_ok 'a sound callback works', $SITE;

# A browser that stands before its callback, and the callback's path.
sub before_callback {
    my $browser = browser($_[0] // $SITE);
    my $back = $browser->authorize($browser->start($_[1] // '/inside'));
    return ($browser, $back);
}

# not_taken_ok(NAME, sub { change the path }): an error or a fresh start, the code not redeemed.
sub not_taken_ok {
    my ($name, $change, %options) = @_;
    return subtest $name => sub {
        my $before = hits($SITE);
        my $tokens = fetched($SITE, 'token');
        my ($browser, $back) = before_callback();
        my $response = $browser->get($change->($back, $browser));
        my $status = join '|', @{ $options{status} || [400, 401] };
        ok $response->status =~ /^(?:$status)$/ || ($options{fresh} && asked_to_sign_in($response, $SITE)),
            'not taken' or diag $response->text;
        is fetched($SITE, 'token') - $tokens, 0, 'the code is not redeemed';
        no_session_ok($response, $browser, $SITE, $before);
    };
}

sub parameter { my ($url, $name) = @_; return ($url =~ /[?&]\Q$name\E=([^&]*)/)[0] // '' }

# ---- 77, 83

not_taken_ok '77 code missing', sub { my $url = shift; $url =~ s/&code=[^&]+//; $url };
not_taken_ok '77 code empty', sub { my $url = shift; $url =~ s/&code=[^&]+/&code=/; $url };
not_taken_ok '77 code twice', sub { my $url = shift; $url . '&code=' . parameter($url, 'code') };
not_taken_ok '77 state missing', sub { my $url = shift; $url =~ s/state=[^&]+&//; $url }, fresh => 1;
not_taken_ok '77 state empty', sub { my $url = shift; $url =~ s/state=[^&]+/state=/; $url }, fresh => 1;
not_taken_ok '77 state twice', sub { my $url = shift; $url . '&state=' . parameter($url, 'state') }, fresh => 1;
not_taken_ok '77 state twice, the second another', sub { shift() . '&state=AAAAAAAAAAAAAAAAAAAAAA' }, fresh => 1;
not_taken_ok '77 iss twice', sub { my $url = shift; $url . '&iss=' . parameter($url, 'iss') };
not_taken_ok '77 no parameters', sub { '/authservice/oidc/callback' }, fresh => 1;
not_taken_ok '77 an escape that is none', sub { my $url = shift; $url =~ s/code=/code=%zz/; $url };
not_taken_ok '77 NUL in the code', sub { my $url = shift; $url =~ s/code=/code=%00/; $url };
not_taken_ok '77 100 parameters', sub { shift() . join '', map { "&p$_=1" } 1 .. 100 };
not_taken_ok '77 a state of 4 KiB', sub { my $url = shift; my $long = 'A' x 4096; $url =~ s/state=/state=$long/; $url }, fresh => 1;
not_taken_ok '83 code and error together', sub { shift() . '&error=access_denied' };
not_taken_ok '83 error alone', sub { my $url = shift; $url =~ s/&code=[^&]+/&error=access_denied/; $url };

subtest '83 an error is told with its tag, and starts nothing by itself' => sub {
    my ($browser, $back) = before_callback();
    $back =~ s/&code=[^&]+/&error=access_denied&error_description=Not+today/;
    my $response = $browser->get($back);
    is $response->status, 401, 'status 401';
    is $response->tag, 'KC0307', 'KC0307';
    is $response->header('Location'), undef, 'no redirect';
};

# ---- 78, 79, 80

subtest '78 state of another browser' => sub {
    my $before = hits($SITE);
    my ($victim, $attacker) = (browser($SITE), browser($SITE));
    my (undef, $back) = before_callback();
    $victim->start('/');
    my $tokens = fetched($SITE, 'token');
    for my $browser ($victim, browser($SITE)) {
        my $response = $browser->get($back);
        ok asked_to_sign_in($response, $SITE) || $response->status == 400, 'not taken';
        is fetched($SITE, 'token'), $tokens, 'the code is not redeemed';
        no_session_ok($response, $browser, $SITE, $before);
    }
};

subtest '79, 91 Back to a spent callback: on to the page, no loop, no second token request' => sub {
    my ($browser, $back) = before_callback($SITE, '/page');
    my $cookies = $browser->cookie_header;
    is $browser->get($back)->status, 303, 'signed in';
    my $session = $browser->session;
    my $tokens = fetched($SITE, 'token');
    for my $cookie ($browser->cookie_header, $browser->cookie_header . "; $cookies") {
        my $response = $browser->get($back, Cookie => $cookie);
        is $response->status, 303, 'goes on' or diag $response->text;
        like $response->led_to // '', qr{^/}, 'to a page of this site';
        unlike $response->header('Location') // '', qr{callback}, 'not to the callback';
        is scalar($response->session_cookies), 0, 'with the session that is there';
    }
    is fetched($SITE, 'token'), $tokens, 'no token request';
    is $browser->session, $session, 'the same session';
};

subtest '79 a spent state without a session starts over, and does not redeem the code' => sub {
    my ($browser, $back) = before_callback($SITE, '/page');
    my $cookies = $browser->cookie_header;
    $browser->get($back);
    my $tokens = fetched($SITE, 'token');
    my $response = browser($SITE)->get($back, Cookie => $cookies);
    ok asked_to_sign_in($response, $SITE), 'a new start' or diag $response->text;
    is fetched($SITE, 'token'), $tokens, 'no token request';
};

subtest '80 an expired state starts over' => sub {
    my ($browser, $back) = before_callback('brief', '/page');
    my ($name) = $browser->login_names;
    # A browser that starts another sign-in is told to delete the cookies of those that have expired.
    my $is_expired = sub {
        my $other = browser('brief');
        $other->jar->{$name} = $browser->jar->{$name};
        $other->start('/');
        return !exists $other->jar->{$name};
    };
    ok wait_until($is_expired), 'it expires';
    my $tokens = fetched('brief', 'token');
    my $response = $browser->get($back);
    ok asked_to_sign_in($response, 'brief'), 'a new start' or diag $response->text;
    is fetched('brief', 'token'), $tokens, 'the code is not redeemed';
};

# ---- 81

subtest '81 a state cookie with any octet changed: one uniform answer' => sub {
    my ($browser, $back) = before_callback();
    my ($name) = $browser->login_names;
    my $value = $browser->jar->{$name};
    my $tokens = fetched($SITE, 'token');
    my %answers;
    my $alphabet = join '', 'A' .. 'Z', 'a' .. 'z', 0 .. 9, '-', '_';
    my $try = sub {
        my $changed = shift;
        my $response = browser($SITE)->get($back, Cookie => "$name=$changed");
        my $fresh = asked_to_sign_in($response, $SITE) ? 'fresh start' : '';
        $answers{ join ' ', $response->status, $fresh, $response->tag, scalar $response->session_cookies }++;
    };
    # Each character at the ends, every seventh between; each of its six bits there.
    my @places = grep { $_ < 24 || $_ > length($value) - 24 || $_ % 7 == 0 } 0 .. length($value) - 1;
    for my $place (@places) {
        my $old = index $alphabet, substr $value, $place, 1;
        my $bit = 1 << ($place % 6);
        substr(my $changed = $value, $place, 1) = substr $alphabet, $old ^ $bit, 1;
        $try->($changed);
    }
    $try->($_) for substr($value, 0, -1), substr($value, 1), "${value}A", '', 'A' x length $value, "$value=", uc $value;
    is join('|', sort keys %answers), '302 fresh start  0', 'the same for all ' . (@places + 7);
    is fetched($SITE, 'token'), $tokens, 'no code is redeemed';
    is $browser->get($back)->status, 303, 'the true cookie still works';
};

subtest '81 the state cookie of one sign-in under the name of another' => sub {
    my $browser = browser($SITE);
    my $first = $browser->authorize($browser->start('/one'));
    my ($one) = $browser->login_names;
    $browser->start('/two');
    my ($two) = grep { $_ ne $one } $browser->login_names;
    my $response = browser($SITE)->get($first, Cookie => "$one=" . $browser->jar->{$two});
    ok asked_to_sign_in($response, $SITE), 'a new start' or diag $response->text;
};

# ---- 82

subtest '82 the same callback twice at once: one token request' => sub {
    my ($browser, $back) = before_callback($SITE, '/twice');
    my $tokens = fetched($SITE, 'token');
    my $request = "GET $back HTTP/1.1\r\nHost: $SITE.test:$ENV{KC_PORT}\r\nAccept: text/html\r\nConnection: close\r\nCookie: "
        . $browser->cookie_header . "\r\n\r\n";
    my @sockets = map { $browser->_connect } 1 .. 6;
    print {$_} $request for @sockets;
    $_->flush for @sockets;
    my @answers = map { my $socket = $_; local $/; Keycloak::Response->new(<$socket> // '') } @sockets;
    is scalar(grep { $_->status == 303 && $_->session_cookies } @answers), 1, 'one session';
    is fetched($SITE, 'token') - $tokens, 1, 'one token request';
};

# ---- 84

subtest '84 HTML in error_description is escaped' => sub {
    my ($browser, $back) = before_callback();
    my $evil = escape(q{<script>alert(1)</script>"'><img src=x onerror=1>});
    $back =~ s/&code=[^&]+/&error=access_denied&error_description=$evil/;
    my $response = $browser->get($back);
    is $response->status, 401, 'status 401';
    unlike $response->body, qr/<script>alert|<img src/, 'no foreign markup';
    ($browser, $back) = before_callback();
    $back =~ s/&code=[^&]+/&error=$evil/;
    unlike $browser->get($back)->body, qr/<script>alert|<img src/, 'nor by error itself';
    ($browser, $back) = before_callback();
    $back =~ s/&code=[^&]+/&error=x&error_description=a%0d%0aSet-Cookie:+a=b/;
    is scalar(grep { /^a=b/ } $browser->get($back)->all('Set-Cookie')), 0, 'nor does it make header lines';
};

subtest 'what a provider says beside the code harms nothing' => sub {
    for my $beside ('session_state=a%zz%FF%0a', 'scope=a%09b&%00=1', 'error_uri=%ff') {
        my ($browser, $back) = before_callback();
        is $browser->get("$back&$beside")->status, 303, $beside;
    }
    my ($browser, $back) = before_callback();
    $back =~ s/&code=[^&]+/&error=access_denied&error_description=AADSTS1:+no%0d%0aTrace+ID:+7%FC/;
    is $browser->get($back)->tag, 'KC0307', 'and a description in several lines is an error of the provider';
};

# ---- 85, 86

subtest '85 PKCE is S256 at each start, and the verifier never leaves before the token request' => sub {
    my %challenges;
    for my $path (qw(/ /authservice/login?return=/ /x)) {
        my $query = query_of(browser($SITE)->start($path));
        is $query->{code_challenge_method}, 'S256', "$path: S256";
        $challenges{ $query->{code_challenge} }++;
    }
    is scalar(keys %challenges), 3, 'each with a challenge of its own';
    my ($entry) = realm($SITE)->log('token');
    like Keycloak::Realm::param($entry, 'code_verifier'), qr/^[A-Za-z0-9_-]{43,128}$/, 'a verifier of full length';
};

subtest '86 the code of one tab with the state of another' => sub {
    my $before = hits($SITE);
    my $browser = browser($SITE);
    my $one = $browser->authorize($browser->start('/one'));
    my $two = $browser->authorize($browser->start('/two'));
    my $code = parameter($two, 'code');
    $one =~ s/([?&]code=)[^&]+/$1$code/;
    my $response = $browser->get($one);
    is $response->status, 401, 'refused';
    is $response->tag, 'KC0308', 'by the realm: the verifier is not the code\'s';
    no_session_ok($response, $browser, $SITE, $before);
};

# ---- 87

subtest '87 ten tabs: no error, each that is known to its own page' => sub {
    my $browser = browser($SITE);
    my @tabs = map { [$_, $browser->authorize($browser->start("/tab/$_"))] } 1 .. 10;
    my @names = $browser->login_names;
    cmp_ok scalar(@names), '<=', 5, 'at most five state cookies';
    cmp_ok length(join '; ', map { "$_=" . $browser->jar->{$_} } @names), '<', 4096, 'together under 4 KiB';
    for my $tab (reverse @tabs) {
        my ($number, $back) = @$tab;
        my $response = $browser->get($back);
        is $response->status, 303, "tab $number is no error" or diag $response->text;
        is $response->led_to, "/tab/$number", "tab $number to its own page" if $number > 5;
    }
    is identity($browser->seen), 'alice@example.com', 'signed in';
};

# A tab that others have pushed out in each of its rounds: its browser, the last of the others, its callback, the answer
# to that, and how many seconds ago the last round had begun at the most.
sub pushed_out {
    my $browser = browser($SITE);
    $browser->start("/tab/$_") for 1 .. 9;
    my $location = $browser->start('/inside');
    my ($other, $back, $answer, $begun);
    for my $round (1 .. 4) {
        $back = $browser->authorize($location);
        delete $browser->jar->{ 'keycloak_login_' . substr parameter($back, 'state'), 0, 16 };
        my $began = time;
        $answer = $browser->get($back);
        last if $answer->status != 302;
        $location = $answer->header('Location');
        $begun = $began;
        $other = $browser->authorize($browser->start("/tab/more/$round"));
    }
    return ($browser, $other, $back, $answer, time - $begun);
}

subtest '87, 92 a tab whose cookie others have pushed out again and again goes on by the session of one of them' => sub {
    my ($browser, $other, $back, $answer, $age);
    my $tokens = fetched($SITE, 'token');
    # Who was slower than the 5 s that a callback waits is told to come again, and that is right; so it is tried anew.
    ok wait_until(sub { ($browser, $other, $back, $answer, $age) = pushed_out(); $answer->status == 303 || $age < 4 }), 'in time';
    is $answer->status, 303, 'after three rounds it waits' or diag $answer->text;
    is $answer->led_to, '/authservice/oidc/callback?state=' . parameter($back, 'state'), 'for itself, without its code';
    is fetched($SITE, 'token'), $tokens, 'and nothing is redeemed';
    is $browser->get($other)->led_to, '/tab/more/3', 'another tab signs in';
    is $browser->get($answer->led_to)->led_to, '/inside', 'which leads to its page';
    is $browser->get($back)->led_to, '/inside', 'as does its first address';
    is fetched($SITE, 'token'), $tokens + 1, 'by one code';
    is identity($browser->seen('/inside')), 'alice@example.com', 'as the one who is signed in';
};

subtest '87 nobody is led back for ever: a tab for which no other one signs in' => sub {
    my ($browser, $other, $back, $answer) = pushed_out();
    my $tokens = fetched($SITE, 'token');
    ok wait_until(sub { $answer = $browser->get($answer->led_to // $back); $answer->status != 303 }), 'it waits for some seconds';
    is $answer->status, 503, 'and is told to come again' or diag $answer->text;
    is $answer->tag, 'KC0202', 'with the reason';
    is $answer->header('Refresh'), '2', 'which the page does by itself';
    is fetched($SITE, 'token'), $tokens, 'nothing is redeemed';
    like $browser->get($other)->led_to, qr{^/tab/more/}, 'another tab signs in after all';
    is $browser->get($back)->led_to, '/inside', 'which leads to its page';
};

subtest '87 a long return URL fits, one that is too long becomes /' => sub {
    my $browser = browser($SITE);
    my $path = '/long?' . 'x' x 1500;
    is $browser->sign_in($path)->led_to, $path, '1,500 octets';
    $path = '/long?' . 'x' x 7000;
    is browser($SITE)->sign_in($path)->led_to, $path, '7,000 octets that deflate well';
    my $noise = join '', map { sprintf '%02x', ($_ * 7919 * ($_ % 251 + 3)) % 256 } 1 .. 3500;
    is browser($SITE)->sign_in("/long?$noise")->led_to, '/', '7,000 octets that do not';
};

# ---- 88, 89, 93

subtest '88 a planted session cookie: a new id' => sub {
    my $planted = 'A' x 43;
    my $browser = browser($SITE);
    $browser->jar->{keycloak_session} = $planted;
    my ($response) = $browser->sign_in('/');
    is $response->status, 303, 'signed in';
    isnt $browser->session, $planted, 'under another id';
    ok !browser($SITE)->get('/', Cookie => "keycloak_session=$planted")->from_backend, 'the planted one opens nothing';
};

subtest '88 the session of the attacker does not become the victim\'s' => sub {
    my $attacker = signed_in($SITE) or return fail 'signing in';
    realm($SITE)->set(user => { sub => 'victim', email => 'victim@example.com' });
    my ($victim, $back) = before_callback();
    $victim->jar->{keycloak_session} = $attacker->session;
    is $victim->get($back)->status, 303, 'the victim signs in';
    realm($SITE)->reset;
    isnt $victim->session, $attacker->session, 'under a new id';
    is identity($victim->seen), 'victim@example.com', 'as the victim';
    isnt identity($attacker->seen), 'victim@example.com', 'which the attacker is not';
};

subtest '89, 93 B signs in over A, A\'s session is gone' => sub {
    my ($browser, $back) = before_callback();
    is $browser->get($back)->status, 303, 'A signs in';
    my $old = $browser->session;
    is identity($browser->seen), 'alice@example.com', 'as A';
    realm($SITE)->set(user => { sub => 'b', email => 'bob@example.com' });
    # The realm signs in whoever it knows when the code is made.
    my $start = browser($SITE);
    my $back_b = $start->authorize($start->start('/c'));
    $browser->jar->{$_} = $start->jar->{$_} for $start->login_names;
    is $browser->get($back_b)->status, 303, 'B signs in';
    realm($SITE)->reset;
    isnt $browser->session, $old, 'under a new id';
    is identity($browser->seen), 'bob@example.com', 'as B';
    my $before = hits($SITE);
    ok !browser($SITE)->get('/', Cookie => "keycloak_session=$old")->from_backend, 'A\'s old cookie opens nothing';
    is hits($SITE), $before, 'the backend is not reached';
};

subtest 'who signs in again, as the same person at the same session of the realm, cuts nothing off' => sub {
    realm($SITE)->set(user => { sub => 'again', email => 'again@example.com', sid => 'one' });
    my ($browser, $back) = before_callback();
    is $browser->get($back)->status, 303, 'signs in';
    my ($old, $cookie) = ($browser->session, $browser->cookie_header);
    my $start = browser($SITE);
    my $second = $start->authorize($start->start('/c'));
    $browser->jar->{$_} = $start->jar->{$_} for $start->login_names;
    is $browser->get($second)->status, 303, 'signs in once more';
    isnt $browser->session, $old, 'under a new id';
    is browser($SITE)->api('/x', Cookie => $cookie)->status, 200, 'what another tab has sent by then is answered';
    is $browser->get('/authservice/logout')->status, 303, 'signs out';
    ok wait_until(sub { browser($SITE)->api('/x', Cookie => $cookie)->status == 401 }), 'the session of before is over as well';
    realm($SITE)->set(user => { sub => 'again', email => 'again@example.com', sid => 'two' });
    ok wait_until(sub { ($browser, $back) = before_callback(); $browser->get($back)->status == 303 }), 'signs in';
    $cookie = $browser->cookie_header;
    realm($SITE)->set(user => { sub => 'again', email => 'again@example.com', sid => 'three' });
    $start = browser($SITE);
    $second = $start->authorize($start->start('/c'));
    $browser->jar->{$_} = $start->jar->{$_} for $start->login_names;
    is $browser->get($second)->status, 303, 'by another session of the realm';
    ok wait_until(sub { browser($SITE)->api('/x', Cookie => $cookie)->status == 401 }), 'which the one of before does not outlast';
    realm($SITE)->reset;
};

# ---- 90

for my $row (
    ['POST without Content-Type', 'POST', []],
    ['POST of a form',            'POST', ['Content-Type' => 'application/x-www-form-urlencoded']],
    ['PUT',                       'PUT',  []],
    ['DELETE',                    'DELETE', []],
    ['OPTIONS',                   'OPTIONS', []],
) {
    my ($name, $method, $headers) = @$row;
    subtest "90 $name at the callback: 405" => sub {
        my ($browser, $back) = before_callback();
        my $before = hits($SITE);
        my $tokens = fetched($SITE, 'token');
        my ($path, $query) = split /\?/, $back, 2;
        my $response = $browser->request($method, $path, body => $method eq 'POST' ? $query : undef, headers => $headers);
        is $response->status, 405, 'status 405' or diag $response->text;
        is $browser->request($method, $back, headers => $headers)->status, 405, '405 with a query too';
        is fetched($SITE, 'token'), $tokens, 'the code is not redeemed';
        is hits($SITE), $before, 'the backend is not reached';
    };
}

# ---- 91, 92

for my $row (['with cookies', 1], ['without cookies', 0]) {
    my ($what, $keeps) = @$row;
    subtest "92 a browser $what that never arrives: a page after three rounds" => sub {
        my $browser = browser($SITE);
        my $location = $browser->start('/');
        my $answer;
        for my $round (1 .. 6) {
            my $back = $browser->authorize($location);
            # The state cookie is lost on the way each time.
            if ($keeps) {
                delete $browser->jar->{$_} for $browser->login_names;
            } else {
                %{ $browser->jar } = ();
            }
            $answer = $browser->get($back);
            last if $answer->status != 302;
            cmp_ok $round, '<=', 3, "round $round starts over";
            $location = $answer->header('Location');
        }
        is $answer->status, 400, 'then a page';
        is $answer->tag, 'KC0304', 'that explains';
        unlike $answer->body, qr/http-equiv="?refresh/i, 'and goes nowhere by itself';
    };
}

done_testing;
