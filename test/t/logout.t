# SPDX-License-Identifier: Apache-2.0
# threats.md A 24-26, and logouts that another site causes: who has asked for it, and the result.
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::Server;
use Keycloak::World;

use constant {
    SITE  => 'logout',
    OUT   => '/authservice/logout',
    HTML  => 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8',
    EVIL  => 'https://evil.example.com',
};

sub in { return signed_in(SITE) || BAIL_OUT('nobody can sign in') }

sub is_out { my $browser = shift; return !$browser->seen }

sub revocations { return scalar realm(SITE)->log('revoke') }

my $OWN = in()->origin;

subtest 'A 24 with the state: on to the page' => sub {
    my $browser = in();
    my $before = revocations();
    my $query = query_of($browser->get(OUT . '?return=%2Fbye%3Fa%3Db')->header('Location'));
    like $query->{state} // '', qr/^logout\.[\w-]{43}$/, 'a state is sent';
    is revocations(), $before, 'the refresh token is left alone, for the realm has a session to end';
    my $answer = $browser->back_from_logout($query);
    is $answer->status, 303, 'back';
    is $answer->header('Location'), "$OWN/bye?a=b", 'at the page';
    is scalar(grep { /keycloak_logout/ } keys %{ $browser->jar }), 0, 'its cookie is gone';
    is $browser->back_from_logout($query)->status, 400, 'once only';
};

subtest 'A 25 without a state: on to the configured page' => sub {
    my $browser = in();
    $browser->get(OUT);
    my $answer = $browser->get('/authservice/oidc/callback');
    is $answer->status, 303, 'status 303';
    is $answer->header('Location'), "$OWN/", 'KeycloakAfterLogoutURL';
    is $browser->get('/authservice/oidc/callback')->tag, 'KC0305', 'once only';
};

subtest 'A 26 with another state: refused' => sub {
    my $browser = in();
    my $query = query_of($browser->get(OUT)->header('Location'));
    my $other = in();
    my $foreign = query_of($other->get(OUT)->header('Location'));
    for my $state ('logout.x', 'logout.' . 'A' x 43, $foreign->{state}) {
        my $answer = $browser->get("/authservice/oidc/callback?state=$state");
        is $answer->status, 400, "$state: 400";
        is $answer->tag, 'KC0312', 'with the reason';
    }
    is $browser->back_from_logout($query)->status, 303, 'the right one still works';
    is browser(SITE)->get("/authservice/oidc/callback?state=$query->{state}")->tag, 'KC0312', 'not in another browser';
};

my @own = (
    ['typed by hand',       Accept => HTML, 'Sec-Fetch-Site' => 'none'],
    ['a link of ours',      Accept => HTML, 'Sec-Fetch-Site' => 'same-origin', Referer => "$OWN/x"],
    ['an old browser',      Accept => HTML, Referer => "$OWN/x"],
);
for my $case (@own) {
    my ($name, @headers) = @$case;
    my $browser = in();
    my $answer = $browser->get(OUT, @headers);
    is $answer->status, 303, "$name: leaves";
    ok is_out($browser), "$name: signed out";
}

my @asked = (
    ['a link elsewhere',           Accept => HTML, 'Sec-Fetch-Site' => 'cross-site', Referer => EVIL . '/'],
    ['a link at a sister site',    Accept => HTML, 'Sec-Fetch-Site' => 'same-site'],
    ['with a Referer of ours',     Accept => HTML, 'Sec-Fetch-Site' => 'cross-site', Referer => "$OWN/"],
    ['an old browser elsewhere',   Accept => HTML, Referer => EVIL . '/'],
    ['a look-alike',               Accept => HTML, Referer => "$OWN.evil.example.com/"],
    ['user information',           Accept => HTML, Referer => 'http://' . ($OWN =~ m{//(.*)})[0] . '@evil.example.com/'],
    ['nothing is said',            Accept => HTML],
    ['a prefetch',                 Accept => HTML, 'Sec-Fetch-Site' => 'same-origin', 'Sec-Purpose' => 'prefetch;prerender'],
    ['a prefetch by hand',         Accept => HTML, 'Sec-Fetch-Site' => 'none', 'Sec-Purpose' => 'prefetch'],
);
for my $case (@asked) {
    my ($name, @headers) = @$case;
    my $browser = in();
    my $answer = $browser->get(OUT . '?return=%2Fbye', @headers);
    is $answer->status, 200, "$name: asked";
    like $answer->text, qr{<form method="post" action="/authservice/logout\?return=%2Fbye">}, 'by a form';
    is $answer->header('Cache-Control'), 'no-store', 'that nobody keeps';
    like $answer->header('Content-Security-Policy'), qr/frame-ancestors 'none'/, 'nor frames';
    is $answer->header('Referrer-Policy'), 'same-origin', 'and that says where it was sent from';
    ok $browser->seen, "$name: still signed in";
}

subtest 'the form of that page' => sub {
    my $browser = in();
    my $answer = $browser->post(OUT, '', Accept => HTML, Origin => $OWN, 'Content-Type' => 'application/x-www-form-urlencoded');
    is $answer->status, 303, 'leaves';
    ok is_out($browser), 'signed out';
    $browser = in();
    is $browser->post(OUT, '', Accept => HTML, Origin => EVIL, 'Content-Type' => 'application/x-www-form-urlencoded')->status, 200,
        'of another site: asked';
    is $browser->post(OUT, '', Accept => HTML, Origin => 'null', 'Sec-Fetch-Site' => 'cross-site')->status, 200, 'of a sandbox: asked';
    ok $browser->seen, 'still signed in';
};

# A browser keeps the session's cookie to itself when another site's page POSTs (SameSite=Lax), or leads here at all (Strict).
my @hidden = (Cookie => undef);
my @posts = (
    ['a form elsewhere',        'Sec-Fetch-Site' => 'cross-site', Origin => EVIL],
    ['a form of a sister site', 'Sec-Fetch-Site' => 'same-site', Origin => 'http://sister.test'],
    ['a form in a sandbox',     'Sec-Fetch-Site' => 'cross-site', Origin => 'null'],
    ['an old browser',          Origin => EVIL],
    ['an older browser',        Referer => EVIL . '/'],
    ['with a Referer of ours',  'Sec-Fetch-Site' => 'cross-site', Referer => "$OWN/"],
);
for my $case (@posts) {
    my ($name, @headers) = @$case;
    subtest "204 another site's POST, without the cookie: $name" => sub {
        my $browser = in();
        my $answer = $browser->request('POST', OUT . '?return=%2Fbye', headers => [Accept => HTML, @hidden, @headers]);
        is $answer->status, 200, 'the person is asked';
        is_deeply [$answer->all('Set-Cookie')], [], 'the cookie is left alone';
        like $answer->text, qr{<form method="post" action="/authservice/logout\?return=%2Fbye">}, 'by a form';
        like $answer->text, qr{another site}, 'that says who wants it';
        my $script = $browser->request('POST', OUT, headers => [Accept => 'application/json', @hidden, @headers]);
        is $script->status, 403, 'a script: 403';
        is_deeply [$script->all('Set-Cookie')], [], 'and no cookie either';
        ok $browser->seen, 'still signed in';
        is $browser->request('POST', OUT, headers => [Accept => HTML, Cookie => $browser->cookie_header, Origin => $OWN])->status, 303, 'the form leaves';
        ok is_out($browser), 'signed out';
    };
}
subtest "204 another site's link, without a cookie: nobody is here" => sub {
    for my $site (SITE, 'strict') {
        my $browser = signed_in($site) || BAIL_OUT('nobody can sign in');
        my $answer = $browser->get(OUT, Accept => HTML, @hidden, 'Sec-Fetch-Site' => 'cross-site', Referer => EVIL . '/');
        is $answer->status, $site eq 'strict' ? 200 : 303, $site eq 'strict' ? 'asked, where a link shows no cookie' : 'on to the page';
        is_deeply [$answer->all('Set-Cookie')], [], 'the cookie is left alone';
        is $browser->get(OUT, Accept => HTML, @hidden)->status, $site eq 'strict' ? 200 : 303, 'the same where nothing is said';
        is $browser->get('/x')->status, 200, 'still signed in';
    }
};
subtest 'what is wanted here deletes a cookie that is of no use' => sub {
    for my $case (['nobody', @hidden, 'Sec-Fetch-Site' => 'none'], ['nobody of no browser', 'POST', @hidden],
        ['a session that has ended, of another site', 'POST', Cookie => 'keycloak_session=' . 'A' x 43, Origin => EVIL])
    {
        my ($name, @headers) = @$case;
        my $method = @headers % 2 ? shift @headers : 'GET';
        my $answer = browser(SITE)->request($method, OUT, headers => [Accept => HTML, @headers]);
        is $answer->status, 303, "$name: leaves";
        is scalar(grep { /^keycloak_session=;/ } $answer->all('Set-Cookie')), 1, 'the cookie goes';
    }
};
subtest 'who has no session here is led to the realm, whose own may live on' => sub {
    my $ended = in();
    is $ended->post('/authservice/sessions', 'end=all', Accept => 'application/json', 'Content-Type' => 'application/x-www-form-urlencoded')->status, 201, 'all end';
    for my $case (['no cookie'], ['a cookie of nothing', Cookie => 'keycloak_session=' . 'A' x 43], ['a malformed one', Cookie => 'keycloak_session=x'],
        ['a session that has ended', Cookie => $ended->cookie_header])
    {
        my ($name, @headers) = @$case;
        my $browser = browser(SITE);
        my $answer = $browser->get(OUT . '?return=%2Fbye', @headers);
        is $answer->status, 303, "$name: leaves";
        my $query = query_of($answer->header('Location'));
        like $answer->header('Location'), qr{/protocol/openid-connect/logout\?}, 'to the end_session_endpoint';
        ok $query->{client_id}, 'with the client';
        is $query->{id_token_hint}, undef, 'without a token';
        is $browser->back_from_logout($query)->header('Location'), "$OWN/bye", 'and comes to the page';
    }
    my $script = browser(SITE)->request('POST', OUT, headers => [Accept => 'application/json', Origin => $OWN]);
    like $script->json->{afterLogoutURL}, qr{/protocol/openid-connect/logout\?client_id=}, 'a script is told the way';
};
subtest '204 no address of ours takes the cookie away at the wish of another site' => sub {
    my @cross = ('Sec-Fetch-Site' => 'cross-site', Origin => EVIL, Referer => EVIL . '/', Accept => HTML);
    my $form = 'application/x-www-form-urlencoded';
    my @bodies = ('', 'end=all', 'logout_token=x', 'iss=x&sid=y');
    for my $path (map({ "/authservice/$_" } qw(login logout sessions whoami backchannel-logout verify/x nothing oidc/callback),
        'frontchannel-logout?iss=x&sid=y', 'login?prompt=none', 'login?prompt=login', 'oidc/callback?state=x&code=y', 'oidc/callback?error=access_denied&state=x',
        'oidc/callback?state=logout.x', 'logout?return=%2F'), '/', '/x')
    {
        for my $method (qw(GET HEAD POST OPTIONS)) {
            for my $body ($method eq 'POST' ? @bodies : '') {
                my @type = $body ne '' ? ('Content-Type' => $form) : ();
                my $answer = browser(SITE)->request($method, $path, body => $body, headers => [@cross, @type]);
                is scalar(grep { /keycloak_(?:session|rounds)=;/ } $answer->all('Set-Cookie')), 0, "$method $path $body";
            }
        }
    }
};

subtest 'a query that cannot be read' => sub {
    my $browser = in();
    for my $query ('return=%', 'return=%zz', 'return=%2Fa&return=%2Fb', '%') {
        my $answer = $browser->get(OUT . "?$query");
        is $answer->status, 400, "$query: 400";
        is_deeply [$answer->all('Set-Cookie')], [], 'no cookie is changed';
    }
    ok $browser->seen, 'still signed in';
};

# Where Authorization is this module's to fill, what the client says in it is taken out, but tells a script all the same.
subtest 'a script by its Authorization, which no backend sees' => sub {
    my $browser = signed_in('bearer-hand') || BAIL_OUT('nobody can sign in');
    my $answer = $browser->get(OUT, Accept => HTML, Authorization => 'Bearer x', 'Sec-Fetch-Site' => 'same-origin');
    is $answer->status, 201, '201, not a redirect' or diag $answer->text;
    like eval { $answer->json->{afterLogoutURL} } // '', qr{/logout\?}, 'with the address';
};

subtest 'scripts' => sub {
    my @script = (Accept => 'application/json', Authorization => 'Bearer ');
    for my $case (['of ours', Origin => $OWN], ['of ours, by the browser', 'Sec-Fetch-Site' => 'same-origin', Origin => $OWN], ['of no browser']) {
        my ($name, @headers) = @$case;
        my $browser = in();
        my $answer = $browser->request('POST', OUT, headers => [@script, @headers]);
        is $answer->status, 201, "$name: 201, as Kubeflow's dashboard wants it";
        like eval { $answer->json->{afterLogoutURL} } // '', qr{/logout\?.*id_token_hint=}, 'with the way to end the session at the realm';
        ok is_out($browser), "$name: signed out";
    }
    for my $case (['elsewhere', Origin => EVIL], ['in a sandbox', Origin => 'null'], ['elsewhere, by the browser', 'Sec-Fetch-Site' => 'cross-site', Origin => $OWN],
        ['of a sister site', 'Sec-Fetch-Site' => 'same-site']) {
        my ($name, @headers) = @$case;
        my $browser = in();
        my $answer = $browser->request('POST', OUT, headers => [@script, @headers]);
        is $answer->status, 403, "$name: 403";
        is eval { $answer->json->{tag} }, 'KC0110', 'with the reason';
        is $browser->request('GET', OUT, headers => [@script, @headers])->status, 403, "$name by GET: 403";
        ok $browser->seen, "$name: still signed in";
    }
};

subtest 'a picture of another site, of which an old browser says nothing' => sub {
    my $browser = in();
    is $browser->request('GET', OUT, headers => [Accept => 'image/*'])->status, 403, '403';
    ok $browser->seen, 'still signed in';
};

subtest 'a page of a partner' => sub {
    my @partner = (Origin => 'https://partner.example.com', 'Sec-Fetch-Site' => 'cross-site');
    my $browser = signed_in('return-hosts') || BAIL_OUT('nobody can sign in');
    my $form = 'application/x-www-form-urlencoded';
    is $browser->post('/authservice/sessions', 'end=all', Accept => 'application/json', 'Content-Type' => $form, @partner)->status, 403,
        'may not end all sessions';
    is $browser->request('POST', OUT, headers => [Accept => 'application/json', @partner])->status, 201, 'but sign out';
};

subtest 'HEAD and other methods' => sub {
    my $browser = in();
    is $browser->request($_, OUT)->status, 405, "$_ is no way out" for qw(HEAD PUT DELETE OPTIONS);
    ok $browser->seen, 'still signed in';
};

subtest 'the cookie of a sign-out does not reach the backend' => sub {
    my $browser = in();
    my $cookie = $browser->cookie_header . '; keycloak_logout=x; __Host-keycloak_logout=y; mine=1';
    my $seen = $browser->get('/seen', Cookie => $cookie)->json;
    is_deeply [headers_named($seen, 'cookie')], ['mine=1'], 'only the rest';
};

subtest 'a realm that does not revoke' => sub {
    my $browser = in();
    realm(SITE)->set(faults => { revoke => { kind => 'status', status => 503 } });
    is $browser->get(OUT)->status, 303, 'leaves';
    realm(SITE)->reset;
    ok is_out($browser), 'signed out';
};

# The realm's session ends with its refresh token: so that is left alone while the browser is on its way through the realm,
# and revoked when it does not come back.
subtest 'who does not come back is signed out at the realm all the same' => sub {
    my @ways = (
        ['a page', sub { shift->get(OUT) }],
        ['a form', sub { shift->post(OUT, '', Accept => HTML, Origin => $OWN) }],
        ["a page's script", sub { shift->request('POST', OUT, headers => [Accept => 'application/json', Origin => $OWN]) }],
        ['a script that a browser tells of', sub { shift->request('POST', OUT, headers => [Accept => '*/*', 'Sec-Fetch-Site' => 'same-origin', 'Sec-Fetch-Mode' => 'cors']) }],
    );
    my (@tokens, %revoked);
    my $look = sub { %revoked = map { (Keycloak::Realm::param($_, 'token') // '') => 1 } realm(SITE)->log('revoke') };
    for my $way (@ways) {
        my ($name, $leave) = @$way;
        # A busy machine may take longer than the browser has: then once more.
        for my $try (1 .. 20) {
            my ($stays, $comes) = (in(), in());
            my @given = map { $_->{answer}{refresh_token} } (realm(SITE)->log('token'))[-2, -1];
            my $since = time;
            my @answers = map { $leave->($_) } $stays, $comes;
            my $where = $answers[1]->header('Location') // $answers[1]->json->{afterLogoutURL};
            $look->();
            my $back = $comes->back_from_logout(scalar query_of($where));
            next if time - $since > 5;
            ok !$revoked{$_}, "$name: not revoked" for @given;
            is $back->status, 303, "$name: one comes back";
            push @tokens, [$name, @given];
            last;
        }
    }
    is scalar(@tokens), scalar(@ways), 'all ways were tried';
    for my $row (@tokens) {
        my ($name, $stayed, $came) = @$row;
        ok wait_until(sub { $look->(); $revoked{$stayed} }), "$name: who does not come back is revoked";
        ok !$revoked{$came}, "$name: who came back is not";
    }
};
subtest 'a program goes nowhere: revoked at once' => sub {
    my $browser = in();
    my $before = revocations();
    is $browser->request('POST', OUT, headers => [Accept => 'application/json'])->status, 201, '201';
    is revocations(), $before + 1, 'revoked';
};

# All ways in and out, and what the log then has of them.
sub come_and_go {
    my ($site, $level) = @_;
    my $server = Keycloak::Server->new($site, lines => ["LogLevel $level", 'KeycloakHTTPTimeout 20s', 'KeycloakCacheTTL 0']);
    local $ENV{KC_PORT} = $server->port;
    my @form = ('Content-Type' => 'application/x-www-form-urlencoded', Accept => 'application/json');
    my @browsers = map { signed_in($site) || BAIL_OUT('nobody can sign in') } 1 .. 4;
    my ($id) = map { $_->{id} } grep { $_->{current} } @{ $browsers[0]->api('/authservice/sessions')->json->{sessions} };
    is $browsers[1]->post('/authservice/sessions', "end=$id", @form)->json->{ended}, 1, 'one ends another';
    is $browsers[1]->get(OUT)->status, 303, 'signs out';
    my $sid = (realm($site)->log('token'))[-2]{answer}{session_state};
    is $browsers[2]->get('/authservice/frontchannel-logout?sid=' . $sid . '&iss=' . escape("$ENV{KC_PROVIDER}/realms/$site"))->status, 200, "the provider's page";
    is $browsers[3]->post('/authservice/sessions', 'end=all', @form)->status, 201, 'all';
    ok wait_until(sub { $browsers[0] = signed_in($site); $browsers[0] && $browsers[0]->seen }), 'signs in again';
    my $token = realm($site)->logout_token(set => { sid => (realm($site)->log('token'))[-1]{answer}{session_state} });
    is browser($site)->post('/authservice/backchannel-logout', "logout_token=$token", @form)->status, 200, 'the provider itself';
    ok !$_->seen, 'out' for @browsers;
    return $server->log;
}
my @told = ('KC0601: signed in: alice@example.com, sub 5b0a2c1e-', 'KC0602: signed out: alice@example.com', 'KC0602: signed out: another session of alice@example.com',
    'KC0603: signed out: all sessions of alice@example.com', "KC0606: signed out by the provider's page: alice\@example.com", 'KC0605: signed out by the provider: a session of sub 5b0a2c1e-');
subtest 'the log at LogLevel info says who comes and goes' => sub {
    my $log = come_and_go('log-info', 'info');
    like $log, qr/\[auth_keycloak:info\].* \Q$_\E/, $_ for @told;
};
subtest 'and at LogLevel warn it says nothing of them' => sub {
    my $log = come_and_go('log-warn', 'warn');
    unlike $log, qr/alice|5b0a2c1e|\[auth_keycloak:info\]/, 'nobody is named' or diag $log;
};

done_testing;
