# SPDX-License-Identifier: Apache-2.0
# Locations that require more than a session; threats.md A 35, E 93: sign-ins begun by another site, and silent ones.
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::World;

my $SITE = 'step-up';
my @CLASSES = ('1', 'gold', 'silver');
my $PAGE = escape("http://$SITE.test:$ENV{KC_PORT}/page");

# The realm as it should be for one subtest.
sub realm_with { realm($SITE)->reset; realm($SITE)->set(sso => {@_}); return }

# What the redirect to the sign-in asks for.
sub asked { return query_of(shift->header('Location')) }

sub is_in { my ($browser, $path) = @_; return identity($browser->seen($path)) eq 'alice@example.com' }

# The way through the provider from a redirect to it: the callback's answer.
sub follow { my ($browser, $response) = @_; return $browser->get($browser->authorize($response->header('Location'))) }

subtest 'a place asks for an acr, and is content with one of those that it names' => sub {
    realm_with(classes => \@CLASSES);
    my $browser = signed_in($SITE) or return fail 'signing in';
    my $before = $browser->session;
    ok is_in($browser, '/page'), 'elsewhere a session does';
    my $hits = hits($SITE);
    my $response = $browser->get('/strong/x?y=1');
    ok asked_to_sign_in($response, $SITE), 'here it does not' or diag $response->text;
    is hits($SITE), $hits, 'and the backend is not reached';
    my $asked = asked($response);
    is $asked->{acr_values}, 'gold silver', 'acr_values';
    ok !exists $asked->{max_age} && !exists $asked->{prompt}, 'and nothing else';
    my $back = follow($browser, $response);
    is $back->status, 303, 'back again' or diag $back->text;
    is $back->led_to, '/strong/x?y=1', 'at the same page';
    isnt $browser->session, $before, 'in a new session';
    ok is_in($browser, $_), "$_ is open" for qw(/strong/x /page /both/../strong/x);
    ok is_in($browser, '/pass/x'), 'for every place that asks for it';
};

subtest 'a place asks for a password that is not too old' => sub {
    realm_with(age => 1000);
    my $browser = signed_in($SITE) or return fail 'signing in';
    ok is_in($browser, '/page'), 'elsewhere it may be old';
    my $response = $browser->get('/recent/x');
    ok asked_to_sign_in($response, $SITE), 'here it may not' or diag $response->text;
    is asked($response)->{max_age}, '60', 'max_age';
    ok !exists asked($response)->{acr_values}, 'and nothing else';
    is follow($browser, $response)->status, 303, 'back again';
    ok is_in($browser, '/recent/x'), 'open';
};

subtest 'a place asks for both' => sub {
    realm_with(classes => \@CLASSES, age => 1000);
    my $browser = signed_in($SITE) or return fail 'signing in';
    my $response = $browser->get('/both/x');
    is_deeply [@{ asked($response) }{qw(acr_values max_age)}], ['gold', '60'], 'of the provider';
    is follow($browser, $response)->status, 303, 'back again';
    ok is_in($browser, $_), $_ for qw(/both/x /strong/x /recent/x);
};

subtest 'who is not signed in at all is asked for it at once' => sub {
    realm_with(classes => \@CLASSES, age => 1000);
    my $browser = browser($SITE);
    my $response = $browser->get('/both/x');
    is_deeply [@{ asked($response) }{qw(acr_values max_age)}], ['gold', '60'], 'in the first sign-in';
    is follow($browser, $response)->status, 303, 'back again';
    ok is_in($browser, '/both/x'), 'open';
};

subtest 'what a place does not demand it does not ask for' => sub {
    realm_with(classes => \@CLASSES, age => 1000);
    my $browser = signed_in($SITE) or return fail 'signing in';
    ok is_in($browser, $_), $_ for qw(/page /strong/any /recent/any);
    ok $browser->get($_)->from_backend, $_ for qw(/public /public/strong);
    my $asked = asked(browser($SITE)->get('/strong/any'));
    ok !exists $asked->{$_}, "without a session: no $_" for qw(acr_values max_age prompt);
    ok browser($SITE)->get('/public/strong')->from_backend, 'a public path needs nobody';
};

# RFC 9470 section 3
subtest 'scripts are told what is missing, and where it is to be had' => sub {
    realm_with(classes => \@CLASSES, age => 1000);
    my $browser = signed_in($SITE) or return fail 'signing in';
    my $hits = hits($SITE);
    my $response = $browser->api('/both/x', Referer => "http://$SITE.test:$ENV{KC_PORT}/page");
    is $response->status, 401, 'status 401' or diag $response->text;
    is $response->header('WWW-Authenticate'),
        'Bearer realm="Keycloak", error="insufficient_user_authentication", acr_values="gold", max_age="60"', 'the challenge';
    my $json = $response->json || {};
    is $json->{error}, 'sign_in_again', 'the error';
    is $json->{tag}, 'KC0111', 'its tag';
    is hits($SITE), $hits, 'the backend is not reached';
    my ($url) = ($json->{login_url} // '') =~ m{^http://\Q$SITE\E\.test:\d+(/.*)$};
    ok $url, 'a login address' or diag $response->text;
    my $login = $browser->get($url);
    ok asked_to_sign_in($login, $SITE), 'which begins a sign-in though one is signed in' or diag $login->text;
    is_deeply [@{ asked($login) }{qw(acr_values max_age)}], ['gold', '60'], 'that brings what is missing';
    my $back = follow($browser, $login);
    is $back->led_to, '/page', 'and leads back to the page';
    is $browser->api('/both/x')->status, 200, 'from where the script gets its answer';
    is $browser->get($url)->led_to, '/page', 'the address asks for nothing any more';
    (my $spoilt = $url) =~ s/demand=./demand=/;
    realm_with(age => 1000);
    my $weak = signed_in($SITE) or return fail 'signing in';
    is $weak->get($spoilt)->led_to, '/page', 'and not at all when it was changed';
    is $weak->api('/both/x')->status, 401, 'which opens nothing';
    is browser($SITE)->api('/both/x')->header('WWW-Authenticate'), 'Bearer realm="Keycloak"', 'without a session: an ordinary challenge';
};

subtest 'KeycloakUnauth' => sub {
    realm_with(classes => \@CLASSES);
    my $browser = signed_in($SITE) or return fail 'signing in';
    my $seen = $browser->seen('/pass/x');
    ok $seen, 'pass: goes on';
    is scalar(headers_named($seen, 'kubeflow-userid')), 0, 'as nobody';
    my $hits = hits($SITE);
    my $response = $browser->get('/pass/role');
    ok !$response->from_backend && $response->status =~ /^40[13]$/, 'where Require asks for more, it is not met' or diag $response->text;
    is hits($SITE), $hits, 'and the backend is not reached';
    ok asked_to_sign_in($browser->api('/always-login/x'), $SITE), 'login: always the sign-in';
    my $page = $browser->get('/never-login/x');
    is $page->status, 401, 'never: 401';
    is $page->tag, 'KC0111', 'a page that says why';
    like $page->header('WWW-Authenticate') // '', qr/insufficient_user_authentication/, 'and the challenge';
    is $browser->post('/strong/x', 'a=b')->status, 401, 'a form: never';
};

subtest 'who has stepped up and may not come in nevertheless is not sent round again' => sub {
    realm_with(classes => \@CLASSES);
    my $browser = signed_in($SITE) or return fail 'signing in';
    ok asked_to_sign_in($browser->get('/strong/role-other'), $SITE), 'first the step';
    $browser->sign_in('/strong/role-other');
    my $response = $browser->get('/strong/role-other');
    is $response->status, 403, 'then 403';
    is $response->tag, 'KC0103', 'with our page';
};

# A provider that cannot, or does not, do what it was asked for.
my %short = (
    'an acr that cannot be had' => ['/unreachable/x', classes => \@CLASSES],
    'a provider that does not heed acr_values' => ['/strong/x', classes => \@CLASSES, heeds => \0],
    'a provider that does not heed max_age' => ['/recent/x', age => 1000, heeds => \0],
);
for my $what (sort keys %short) {
    subtest "$what: a page, no loop, and the session stays" => sub {
        my ($path, @sso) = @{ $short{$what} };
        realm_with(@sso);
        my $browser = signed_in($SITE) or return fail 'signing in';
        my $session = $browser->session;
        my $hits = hits($SITE);
        my $response = $browser->sign_in($path);
        is $response->status, 403, 'status 403' or diag $response->text;
        is $response->tag, 'KC0416', 'KC0416';
        is $response->header('Location'), undef, 'no redirect';
        is scalar($response->session_cookies), 0, 'no new session';
        is $browser->session, $session, 'the old one is kept';
        is scalar($browser->login_names), 0, 'the sign-in is over';
        is hits($SITE), $hits, 'the backend is not reached';
        ok is_in($browser, '/page'), 'other places are open as before';
    };
}

subtest 'a token without acr or auth_time is not enough' => sub {
    for my $claim (qw(acr auth_time)) {
        realm_with(classes => \@CLASSES);
        realm($SITE)->set(id_token => { delete => [$claim] });
        my $response = browser($SITE)->sign_in('/both/x');
        is $response->tag, 'KC0416', "without $claim" or diag $response->text;
        my $browser = signed_in($SITE) or return fail 'signing in';
        ok asked_to_sign_in($browser->get('/both/x'), $SITE), 'nor is a session of such a token';
    }
    realm($SITE)->reset;
};

subtest 'subrequests' => sub {
    my $browser = signed_in('step-up-parts') or return fail 'signing in';
    my $hits = hits('step-up-parts');
    my $response = $browser->get('/local/page.shtml');
    is $response->status, 200, 'a page with a part that asks for more';
    like $response->body, qr/^user=\[alice\@example\.com\]/m, 'is shown';
    unlike $response->body, qr/kubeflow/i, 'without that part' or diag $response->body;
    is hits('step-up-parts'), $hits, 'and the backend is not reached';

    $browser = signed_in('step-up-open-parts') or return fail 'signing in';
    my ($inside) = $browser->get('/local/page.shtml')->body =~ /inside=\[(\{.*\})\]/s;
    my $seen = eval { JSON::PP::decode_json($inside) };
    ok $seen, 'a part that may go on without a name';
    is scalar(headers_named($seen || {}, "kubeflow-$_")), 0, "has none: kubeflow-$_" for qw(userid groups);
};

subtest 'a site that demands it everywhere asks for it at the login address too' => sub {
    realm('step-up-all')->set(sso => { classes => \@CLASSES });
    my $browser = browser('step-up-all');
    my $response = $browser->get('/authservice/login?return=%2Fpage');
    is asked($response)->{acr_values}, 'gold', 'in the first sign-in' or diag $response->text;
    is follow($browser, $response)->led_to, '/page', 'which leads to the page';
    ok is_in($browser, '/page'), 'and is enough';
};

subtest 'stepping up twice is no loop, and a loop still ends' => sub {
    realm_with(classes => \@CLASSES);
    my $browser = browser($SITE);
    for my $time (1 .. 2) {
        delete $browser->jar->{ $browser->session_name // '' };
        is $browser->sign_in('/page')->status, 303, "sign-in $time";
        realm_with(classes => \@CLASSES, age => 1000);
        is $browser->sign_in('/strong/x')->status, 303, "step $time";
    }
    # Two places that exclude each other, as a page sees it that leads from one to the other.
    realm_with(classes => ['1', 'gold', 'copper']);
    my ($rounds, $response) = (0);
    for my $path (('/strong/x', '/copper/x') x 5) {
        $response = $browser->sign_in($path);
        $rounds++ if $response->status == 303;
    }
    is $response->status, 400, 'a page' or diag $response->text;
    is $response->tag, 'KC0304', 'KC0304';
    is $rounds, 4, 'after six steps within a minute';
};

subtest 'a step that never arrives ends in a page' => sub {
    realm_with(classes => \@CLASSES);
    my $browser = signed_in($SITE) or return fail 'signing in';
    my $cookie = $browser->cookie_header;
    select undef, undef, undef, 1.1;    # sessions are told apart from sign-ins by whole seconds
    my $response = $browser->get('/strong/x', Cookie => $cookie);
    my $rounds = 0;
    while ($response->status == 302 && $rounds++ < 10) {
        my $back = $browser->authorize($response->header('Location'));
        $response = $browser->get($back, Cookie => $cookie);    # the login cookie is lost
    }
    is $response->tag, 'KC0304', 'KC0304' or diag $response->text;
    cmp_ok $rounds, '<=', 4, "after $rounds rounds";
    is $browser->get('/page', Cookie => $cookie)->status, 200, 'the session is as it was';
};

subtest 'Back to a callback that has made a session stronger goes on to the page' => sub {
    realm_with(classes => \@CLASSES);
    my $browser = signed_in($SITE) or return fail 'signing in';
    my $back = $browser->authorize($browser->start('/strong/x'));
    $browser->get($back);
    is $browser->get($back)->led_to, '/strong/x', 'without a sign-in';
};

# ---- silent sign-ins

subtest 'prompt=none renews a session' => sub {
    realm_with();
    my $browser = signed_in($SITE) or return fail 'signing in';
    my $before = $browser->session;
    my $response = $browser->get('/authservice/login?prompt=none&return=%2Fpage');
    ok asked_to_sign_in($response, $SITE), 'though there is one' or diag $response->text;
    is asked($response)->{prompt}, 'none', 'prompt';
    is follow($browser, $response)->led_to, '/page', 'and leads to the page';
    isnt $browser->session, $before, 'in a new session';
    ok is_in($browser, '/page'), 'of the same person';
    is $browser->get("/authservice/login?prompt=$_&return=%2Fpage")->led_to, '/page', "prompt=$_ is not heeded"
        for qw(login select_account consent None none%20login);
};

subtest 'prompt=none whose cookie is lost' => sub {
    my $browser = signed_in('step-up') or return fail 'signing in';
    my $session = $browser->session;
    my $back = $browser->authorize($browser->start('/authservice/login?prompt=none&return=%2Fpage'));
    delete $browser->jar->{$_} for $browser->login_names;
    my $answer = $browser->get($back);
    is $answer->led_to, '/page', 'leads back: whoever was to be renewed is signed in' or diag $answer->text;
    is $browser->session, $session, 'with the session of before';
};

subtest 'prompt=none without a session signs in, or says that it cannot' => sub {
    realm_with();
    my $browser = browser($SITE);
    is $browser->sign_in('/authservice/login?prompt=none&return=%2Fpage')->led_to, '/page', 'with a session at the provider';
    ok is_in($browser, '/page'), 'signed in';
    realm_with(age => undef);
    $browser = browser($SITE);
    my $response = $browser->sign_in('/authservice/login?prompt=none&return=%2Fpage');
    is $response->status, 401, 'without: 401' or diag $response->text;
    is $response->tag, 'KC0313', 'KC0313';
    is scalar($browser->login_names), 0, 'the sign-in is over';
};

subtest 'a provider that would have to ask leaves the session alone' => sub {
    for my $error (qw(login_required interaction_required consent_required account_selection_required)) {
        realm_with();
        my $browser = signed_in($SITE) or return fail 'signing in';
        my $before = $browser->session;
        realm($SITE)->set(callback => { set => { error => $error }, delete => ['code'] });
        my $back = $browser->authorize($browser->start('/authservice/login?prompt=none'));
        my $response = $browser->api($back);
        is $response->status, 401, "$error: 401";
        is $response->tag, 'KC0313', 'KC0313' or diag $response->text;
        is +($response->json || {})->{error}, 'silent', 'JSON for a script';
        is $response->header('Location'), undef, 'no redirect';
        is $browser->session, $before, 'the session is the same';
        is scalar($browser->login_names), 0, 'the sign-in is over';
        realm_with();
        ok is_in($browser, '/page'), 'and lives';
        realm($SITE)->set(callback => { set => { error => $error }, delete => ['code'] });
        is browser($SITE)->sign_in('/page')->tag, 'KC0307', 'where somebody was to be asked it is an error';
    }
    realm_with();
};

subtest 'a silent answer that has lost its cookie never becomes a page that asks' => sub {
    realm_with();
    my $browser = browser($SITE);
    my $back = $browser->authorize($browser->start('/authservice/login?prompt=none'));
    my $response = browser($SITE)->get($back);
    is $response->status, 401, 'status 401' or diag $response->text;
    is $response->tag, 'KC0313', 'KC0313';
};

subtest '93 a silent sign-in that returns somebody else' => sub {
    realm_with();
    my $browser = signed_in($SITE) or return fail 'signing in';
    my $before = $browser->session;
    realm($SITE)->set(user => { sub => 'somebody-else', email => 'bob@example.com' });
    my $response = $browser->sign_in('/authservice/login?prompt=none');
    is $response->tag, 'KC0409', 'is refused' or diag $response->text;
    is scalar($response->session_cookies), 0, 'no session is made';
    is $browser->session, $before, 'the old one stays';
    ok is_in($browser, '/page'), 'alice\'s';
    realm_with();
};

# ---- the login address

subtest 'parameters go on to the provider, those that were named' => sub {
    realm_with();
    my $link = '/authservice/login?return=%2Fpage&login_hint=a%26scope%3Dx%40y&theme=dark&ui_locales=de&scope=evil&client_id=evil'
        . '&redirect_uri=https%3A%2F%2Fevil.example.com&state=evil&nonce=evil&acr_values=1&max_age=0&request_uri=https%3A%2F%2Fevil.example.com';
    my $response = browser($SITE)->get($link);
    my @pairs = query_of($response->header('Location'));
    my %asked = map { @$_ } @pairs;
    is $asked{login_hint}, 'a&scope=x@y', 'login_hint, as it was';
    is $asked{theme}, 'dark', 'what the administrator has named';
    ok !exists $asked{$_}, "not $_" for qw(ui_locales acr_values max_age request_uri prompt return);
    unlike "@{[ map { @$_ } @pairs ]}", qr/evil/, 'nothing of the protocol';
    is scalar(grep { $_->[0] eq 'scope' } @pairs), 1, 'one scope';
    for my $bad ('login_hint=a&login_hint=b', 'login_hint=' . 'a' x 201, 'return=/a&return=/b', 'prompt=none&prompt=none') {
        my $refused = browser($SITE)->get("/authservice/login?$bad");
        is $refused->status, 400, substr($bad, 0, 30) . ': 400';
        is $refused->tag, 'KC0112', 'KC0112';
        is scalar($refused->all('Set-Cookie')), 0, 'nothing is begun';
    }
};

subtest '35 a sign-in that another site begins' => sub {
    realm_with();
    my $issuer = escape("$ENV{KC_PROVIDER}/realms/$SITE");
    my $browser = browser($SITE);
    my $response = $browser->get("/authservice/login?iss=$issuer&login_hint=alice&target_link_uri=$PAGE");
    ok asked_to_sign_in($response, $SITE), 'begins' or diag $response->text;
    is asked($response)->{login_hint}, 'alice', 'with its hint';
    is follow($browser, $response)->led_to, '/page', 'and leads to its page';
    my $evil = escape('https://evil.example.com/');
    is browser($SITE)->sign_in("/authservice/login?iss=$issuer&target_link_uri=$evil")->led_to, '/', 'but never to another site';
    for my $other ("$ENV{KC_PROVIDER}/realms/third-party", "$ENV{KC_PROVIDER}/realms/$SITE/", '') {
        my $refused = browser($SITE)->get('/authservice/login?iss=' . escape($other) . "&target_link_uri=$PAGE");
        is $refused->status, 400, "issuer '$other': 400";
        is $refused->tag, 'KC0112', 'KC0112';
        is $refused->header('Location'), undef, 'nobody is sent anywhere';
    }
    my @form = ('Content-Type' => 'application/x-www-form-urlencoded');
    $browser = browser($SITE);
    $response = $browser->post('/authservice/login', "iss=$issuer&login_hint=a%26b&prompt=none&target_link_uri=$PAGE&scope=evil", @form);
    is $response->status, 303, 'a form' or diag $response->text;
    like $response->led_to, qr{^/authservice/login\?return=.*%2Fpage&prompt=none&login_hint=a%26b$}, 'leads to the same as an address';
    is $browser->sign_in($response->led_to)->led_to, '/page', 'which leads to its page';
    is $browser->post('/authservice/login', 'iss=https%3A%2F%2Fevil.example.com', @form)->tag, 'KC0112', 'a form for another issuer: KC0112';
    is $browser->post('/authservice/login', '{}', 'Content-Type' => 'application/json')->tag, 'KC0112', 'no form: KC0112';
    is $browser->post('/authservice/login', "iss=$issuer\0&x=1", @form)->tag, 'KC0112', 'a NUL: KC0112';
    is $browser->post('/authservice/login', "iss=$issuer&x=" . 'a' x 8192, @form)->tag, 'KC0112', 'too long: KC0112';
    is $browser->request('PUT', '/authservice/login')->status, 405, 'PUT: 405';
    is scalar(realm('third-party')->log), 0, 'and nobody is asked for anything';
};

done_testing;
