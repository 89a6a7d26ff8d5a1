# SPDX-License-Identifier: Apache-2.0
# Which requests are let in: Require lines, public paths, and KeycloakUnauth.
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::World;

my $SITE = 'access';
my $in = signed_in($SITE) or die 'cannot sign in' . "\n";

my %rows = (
    '/user'              => 200, '/user-other'        => 403,
    '/role'              => 200, '/role-other'        => 403,
    '/client-role'       => 200, '/client-role-other' => 403,
    '/group'             => 200, '/group-other'       => 403,
    '/group-slash'       => 200, '/claim-other'       => 403,
    '/claim'             => 200, '/none'              => 403,
    '/claim-path'        => 200,
    '/any'               => 200,
    '/granted'           => 200,
    '/'                  => 200,
);
for my $path (sort keys %rows) {
    subtest "signed in at $path: $rows{$path}" => sub {
        my $before = hits($SITE);
        my $response = $in->get($path);
        is $response->status, $rows{$path}, $rows{$path} or diag $response->text;
        if ($rows{$path} == 403) {
            is $response->tag, 'KC0103', 'our page says so';
            is hits($SITE), $before, 'the backend is not reached';
            my $api = $in->api($path);
            is $api->status, 403, '403 for a script too';
            like $api->header('Content-Type') // '', qr{^application/json}, 'in JSON';
        } else {
            is hits($SITE), $before + 1, 'the backend is reached';
        }
    };
}

for my $path (grep { $_ ne '/granted' } sort keys %rows) {
    subtest "without a session at $path: the sign-in" => sub {
        my $before = hits($SITE);
        ok asked_to_sign_in(browser($SITE)->get($path), $SITE), 'a page is redirected';
        is browser($SITE)->api($path)->status, 401, 'a script gets 401';
        is hits($SITE), $before, 'the backend is not reached';
    };
}

# ---- KeycloakUnauth

subtest 'KeycloakUnauth login: always the sign-in' => sub {
    ok asked_to_sign_in(browser($SITE)->get('/unauth-login'), $SITE), 'a page';
    ok asked_to_sign_in(browser($SITE)->api('/unauth-login'), $SITE), 'a script too';
    my $browser = browser($SITE);
    my $form = $browser->post('/unauth-login/form', 'a=b', 'Content-Type' => 'application/x-www-form-urlencoded');
    ok asked_to_sign_in($form, $SITE), 'and a form';
    is $browser->get($browser->authorize($form->header('Location')))->led_to, '/', 'which is not sent again: on to the start page';
};
subtest 'KeycloakUnauth 401: never' => sub {
    my $response = browser($SITE)->get('/unauth-401');
    is $response->status, 401, 'a page';
    like $response->header('Content-Type') // '', qr{^text/html}, 'as a page';
    is browser($SITE)->api('/unauth-401')->status, 401, 'a script';
};
subtest 'KeycloakUnauth pass: through, without a name' => sub {
    my $response = browser($SITE)->get('/unauth-pass/x', 'kubeflow-userid' => 'mallory@example.com');
    ok $response->from_backend, 'passes' or diag $response->text;
    is scalar(headers_named($response->json || {}, 'kubeflow-userid')), 0, 'nameless';
    is identity($in->seen('/unauth-pass/x')), 'alice@example.com', 'with a session: with a name';
    my $old = browser($SITE)->get('/unauth-pass/x', Cookie => 'keycloak_session=' . 'A' x 43);
    ok $old->from_backend, 'an unknown session is no session';
    is scalar(headers_named($old->json || {}, 'kubeflow-userid')), 0, 'and has no name';
};
subtest 'KeycloakUnauth: a folder inside sets it back' => sub {
    my $before = hits($SITE);
    ok asked_to_sign_in(browser($SITE)->get('/unauth-pass/again'), $SITE), 'the sign-in';
    is hits($SITE), $before, 'the backend is not reached';
};
subtest 'KeycloakUnauth pass does not open what a role guards' => sub {
    my $before = hits($SITE);
    my $response = browser($SITE)->get('/unauth-pass/role');
    like $response->status, qr/^(?:302|401|403)$/, 'closed' or diag $response->text;
    is hits($SITE), $before, 'the backend is not reached';
    is $in->get('/unauth-pass/role')->status, 200, 'with a session and the role: open';
};

# ---- public paths

for my $path (qw(/open /open/ /open/a/b /open?x=1)) {
    subtest "public: $path" => sub {
        my $response = browser($SITE)->get($path, 'kubeflow-userid' => 'mallory@example.com');
        ok $response->from_backend, 'passes' or diag $response->text;
        is scalar(headers_named($response->json || {}, 'kubeflow-userid')), 0, 'nameless';
    };
}
subtest 'a public path does not open what another Require line closes' => sub {
    my $before = hits($SITE);
    for my $browser (browser($SITE), $in) {
        my $response = $browser->get('/open/denied/x');
        is $response->status, 403, 'closed' or diag $response->text;
    }
    is hits($SITE), $before, 'the backend is not reached';
};

for my $path (qw(/openx /Open /OPEN/x /x/open /?x=/open/ /open/../user /open/..;/user /open/%2e%2e/user /open/%2e%2e%2fuser /open/..%2fuser
    /open/%252e%252e/user /open/..%5cuser /open%2f..%2fuser /open/./../user /open/x/../../user /open%00 /open%00/user /%6fpen/../user
    //open/../user /open//../user /open/..%252fuser /open/%c0%ae%c0%ae/user /open;x /open;/../user /./user /open/..\user),
    "http://$SITE.test/user", "http://$SITE.test/open/../user") {
    subtest "not public: $path" => sub {
        my $before = hits($SITE);
        my $response = browser($SITE)->get($path);
        my $reached = $response->from_backend;
        if ($reached && $path =~ m{^/open/|^/open;}) {
            # Below the public path when httpd has read it: then the backend must have got it so too.
            my $target = $response->json->{target} =~ s/\?.*//r;
            like $target, qr{^/open(?:/|$)}, 'the backend sees a path below the public one';
            unlike $target, qr{(?:^|[/\\])(?:\.|%2e|%252e|%c0%ae){2}(?:[/\\;]|%2f|%5c|%252f|$)}i, 'that leads nowhere else';
        } else {
            ok !$reached, 'the backend is not reached' or diag $response->text;
            is hits($SITE), $before, 'not even unseen';
        }
    };
}

subtest 'AuthType None is not ours' => sub {
    my $response = browser($SITE)->get('/off', 'kubeflow-userid' => 'mallory@example.com', 'Kubeflow_Userid' => 'mallory@example.com');
    ok $response->from_backend, 'passes';
    is scalar(headers_named($response->json || {}, 'kubeflow-userid')), 0, 'but a client still may not say who it is';
};

# A public page of which a part is not: the page is shown, without it.
for my $unauth (qw(login 401 auto)) {
    subtest "a part of a public page where KeycloakUnauth is $unauth" => sub {
        my $site = "parts-$unauth";
        my $before = hits($site);
        my $response = browser($site)->get('/local/page.shtml');
        is $response->status, 200, 'the page is shown';
        like $response->body, qr/^inside=\[.*error occurred/m, 'its part is not' or diag $response->text;
        is_deeply [$response->all('Location'), $response->all('Set-Cookie')], [], 'and leads nowhere';
        is hits($site), $before, 'the backend is not reached';
        my $in = signed_in($site) or return fail 'signing in';
        like $in->get('/local/page.shtml')->body, qr/^inside=\[\{.*"alice\@example\.com"/m, 'with a session it is';
    };
}
subtest 'a part of a public page while the store is down' => sub {
    my $before = hits('parts-down');
    my $response = browser('parts-down')->get('/local/page.shtml', Cookie => 'keycloak_session=' . 'A' x 43);
    is $response->status, 200, 'the page is shown' or diag $response->text;
    like $response->body, qr/^inside=\[.*error occurred/m, 'its part is not';
    is hits('parts-down'), $before, 'the backend is not reached';
};

subtest 'an unauthenticated WebSocket: 401' => sub {
    my $before = hits($SITE);
    my $response = browser($SITE)->get('/ws', Upgrade => 'websocket', Connection => 'Upgrade', 'Sec-WebSocket-Version' => 13,
        'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==');
    is $response->status, 401, 'status 401';
    is hits($SITE), $before, 'the backend is not reached';
};

done_testing;
