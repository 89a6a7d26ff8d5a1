# SPDX-License-Identifier: Apache-2.0
# threats.md M 168-174: requests with Authorization: Bearer; and the ID token that backends get.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use Keycloak::Expect;
use Keycloak::World;

my $ALICE = 'alice@example.com';

sub token { my ($site, %change) = @_; return realm($site)->bearer_token(%change) }
sub id_token { my ($site, %change) = @_; return token($site, %change, set => { typ => 'ID', aud => 'app', %{ $change{set} || {} } }) }

# A request of a program without cookies that shows this as its Authorization.
sub ask { my ($site, $value, $path, @headers) = @_; return browser($site)->get($path // '/x', Authorization => $value, @headers) }
sub bearer { my ($site, $token, @rest) = @_; return ask($site, "Bearer $token", @rest) }

sub last_seen { my $site = shift; return (visitors($site))[-1] }

sub taken_ok {
    my ($name, $site, $answer, $user) = @_;
    return subtest $name => sub {
        ok $answer->from_backend, 'it goes on' or diag $answer->text;
        is identity(last_seen($site)), $user // $ALICE, 'as the user';
        is scalar(grep { /keycloak/ } $answer->all('Set-Cookie')), 0, 'no cookie of ours is set';
    };
}

# M 174: 401 with the challenge, JSON, no way to a sign-in, no cookie, and the backend not reached.
sub refused_ok_bearer {
    my ($name, $site, $reason, $ask) = @_;
    my ($mark, $before) = (log_mark(), hits($site));
    my $answer = $ask->();
    return subtest $name => sub {
        is $answer->status, 401, 'refused' or diag $answer->text;
        like $answer->header('WWW-Authenticate') // '', qr/^Bearer realm="[^"]+", error="invalid_token", error_description="[^"]+"$/, 'the challenge of RFC 6750';
        is eval { $answer->json->{error} } // '', 'invalid_token', 'JSON';
        is $answer->header('Location'), undef, 'no redirect';
        is scalar($answer->all('Set-Cookie')), 0, 'no cookie';
        is hits($site), $before, 'the backend is not reached';
        like log_since($mark), qr/KC0115\b[^\n]*$reason/, 'the log says why';
    };
}

subtest 'sound tokens' => sub {
    my $token = token('bearer');
    taken_ok 'an access token', 'bearer', bearer('bearer', $token);
    is_deeply [headers_named(last_seen('bearer'), 'Authorization')], ["Bearer $token"], 'which the backend gets as it is';
    taken_ok 'once more', 'bearer', bearer('bearer', $token);
    taken_ok 'an ID token', 'bearer', bearer('bearer', id_token('bearer'));
    taken_ok 'the scheme in lower case', 'bearer', ask('bearer', "bearer $token");
    taken_ok 'by a page', 'bearer', bearer('bearer', $token, '/pages');
    taken_ok 'by POST', 'bearer', browser('bearer')->post('/x', 'a=b', Authorization => "Bearer $token");
    taken_ok 'of another client', 'bearer', bearer('bearer', token('bearer', set => { azp => 'kfp-cli', aud => ['app', 'account'] }));
    taken_ok 'an audience of those configured', 'bearer-access', bearer('bearer-access', token('bearer-access', set => { aud => ['x', 'other'] }));
    is scalar(grep { $_->{endpoint} =~ /token|userinfo/ } realm('bearer')->log), 0, 'the realm is asked nothing about anybody';
};

# The only limit before 128 KiB is httpd's own: LimitRequestFieldSize (conf/httpd.conf.in), of the whole line.
subtest 'large tokens' => sub {
    my ($limit, $before, $token) = (32_768, length 'Authorization: Bearer ');
    my $of = sub { token('bearer', set => { filler => 'x' x $_[0] }) };
    my $fill = int(($limit - $before - length $of->(0)) * 3 / 4);
    for my $size (9_000, 15_000, $fill - 30) {
        $token = $of->($size);
        cmp_ok length $token, '<', $limit - $before, 'the field fits into its limit';
        taken_ok 'a token of ' . length($token) . ' bytes', 'bearer', bearer('bearer', $token);
    }
    my $hits = hits('bearer');
    $token = $of->($fill + 30);
    cmp_ok length $token, '>', $limit - $before, 'one more than the field may have';
    is bearer('bearer', $token)->status, 400, 'is refused by httpd';
    is hits('bearer'), $hits, 'and the backend is not reached';
};

subtest 'what is asked of a session is asked of a token' => sub {
    my $token = token('bearer');
    taken_ok 'a role', 'bearer', bearer('bearer', $token, '/user');
    taken_ok 'a claim', 'bearer', bearer('bearer', $token, '/claim');
    my $answer = bearer('bearer', $token, '/admin');
    is $answer->status, 403, 'a role that it has not: 403';
    is eval { $answer->json->{error} } // '', 'forbidden', 'in JSON';
    for my $path (qw(/strong /strong/pages)) {
        $answer = bearer('bearer', $token, $path);
        is $answer->status, 401, 'not signed in strongly enough: 401';
        like $answer->header('WWW-Authenticate') // '', qr/error="insufficient_user_authentication"/, 'RFC 9470';
    }
    taken_ok 'strongly enough', 'bearer', bearer('bearer', token('bearer', set => { acr => 'gold' }), '/strong');
    my $who = bearer('bearer', $token, '/authservice/whoami');
    is $who->status, 200, 'whoami';
    is eval { $who->json->{user} } // '', $ALICE, 'tells the user';
    ok !$who->json->{is_renewed}, 'and that nothing is renewed';
};

for my $case (
    ['M 168 a refresh token',             'token-type',      set => { typ => 'Refresh' }],
    ['M 168 an offline token',            'token-type',      set => { typ => 'Offline' }],
    ['M 168 a logout token',              'token-type',      set => { typ => 'Logout' }, header => { typ => 'logout+jwt' }],
    ['M 168 one of no type',              'token-type',      delete => ['typ']],
    ['M 168 one bound to a key',          'token-type',      set => { cnf => { jkt => 'a' } }],
    ['M 169 another audience',            'token-audience',  set => { aud => 'kfp-cli' }],
    ['M 169 only account',                'token-audience',  set => { aud => 'account' }],
    ['M 169 no audience',                 'token-audience',  delete => ['aud']],
    ['M 170 another realm',               'token-issuer',    set => { iss => 'http://127.0.0.1:1/realms/other' }],
    ['M 170 expired',                     'token-time',      offset => { exp => -60, iat => -120 }],
    ['M 170 of the future',               'token-time',      offset => { iat => 120 }],
    ['M 170 not yet',                     'token-time',      offset => { nbf => 120 }],
    ['M 170 alg none',                    'token-',          alg => 'none'],
    ['M 170 HS256 by the client\'s secret', 'token-algorithm', alg => 'HS256', key => 'client_secret'],
    ['M 170 HS256 by the public key',     'token-algorithm', alg => 'HS256', key => 'rsa_public_pem'],
    ['M 170 another key of that name',    'token-signature', key => 'other'],
    ['M 170 an unknown key',              'token-key',       key => 'ec', alg => 'ES256'],
    ['an unverified e-mail address',      'email-unverified', set => { email_verified => JSON::PP::false() }],
    ['no e-mail address',                 'user-missing',    delete => ['email']],
) {
    my ($name, $reason, %change) = @$case;
    refused_ok_bearer $name, 'bearer', $reason, sub { bearer('bearer', token('bearer', %change)) };
}

subtest 'M 168 kinds that are not taken' => sub {
    refused_ok_bearer 'an ID token', 'bearer-access', 'token-type', sub { bearer('bearer-access', id_token('bearer-access', set => { aud => 'api' })) };
    refused_ok_bearer 'the client\'s own id, which is no audience there', 'bearer-access', 'token-audience', sub { bearer('bearer-access', token('bearer-access')) };
};

subtest 'M 171 what is shown twice, or is none' => sub {
    my $token = token('bearer');
    for my $pair (["Bearer $token", "Bearer $token"], ["Bearer $token", 'Basic YTpi'], ['Basic YTpi', "Bearer $token"], ["Bearer $token", 'Bearer x']) {
        refused_ok_bearer 'two headers', 'bearer', '', sub { ask('bearer', $pair->[0], '/x', Authorization => $pair->[1]) };
    }
    for my $value ('Bearer', 'Bearer ', "Bearer $token $token", "Bearer $token,$token", 'Bearer a.b.c', 'Bearer ' . 'a' x 7000) {
        refused_ok_bearer substr($value, 0, 20), 'bearer', '', sub { ask('bearer', $value) };
    }
};

subtest 'M 171 cookie and bearer' => sub {
    my $browser = signed_in('bearer') // return fail 'nobody can sign in';
    my @own = (Cookie => $browser->cookie_header);
    taken_ok 'the bearer counts', 'bearer', bearer('bearer', token('bearer', set => { email => 'bob@example.com' }), '/x', @own), 'bob@example.com';
    for my $path (qw(/x /open /pages)) {
        refused_ok_bearer "a bad one is refused beside a good cookie: $path", 'bearer', '', sub { bearer('bearer', 'a.b.c', $path, @own) };
        refused_ok_bearer "and without one: $path", 'bearer', '', sub { bearer('bearer', 'a.b.c', $path) };
    }
    taken_ok 'another scheme is not ours', 'bearer', ask('bearer', 'Basic YTpi', '/x', @own);
    is_deeply [headers_named(last_seen('bearer'), 'Authorization')], ['Basic YTpi'], 'and goes on';
    is ask('bearer', 'Basic YTpi')->status, 302, 'nor does it sign anybody in';
    ok bearer('bearer', 'a.b.c', '/public/x')->from_backend, 'nobody looks at it on a public path';
    is_deeply [headers_named(last_seen('bearer'), 'kubeflow-userid')], [], 'where it names nobody';
};

subtest 'our own addresses go by the cookie' => sub {
    my $browser = signed_in('bearer') // return fail 'nobody can sign in';
    my $token = token('bearer', set => { email => 'bob@example.com' });
    my $list = browser('bearer')->api('/authservice/sessions', Authorization => "Bearer $token");
    is $list->status, 401, 'a token lists no sessions';
    $list = $browser->api('/authservice/sessions', Authorization => "Bearer $token");
    is $list->status, 200, 'the cookie beside it does';
    is eval { scalar grep { $_->{current} } @{ $list->json->{sessions} } } // 0, 1, 'its own among them';
    my $out = browser('bearer')->request('POST', '/authservice/logout', headers => [Authorization => "Bearer $token", Accept => '*/*']);
    is $out->status, 201, 'signing out without a cookie ends nothing';
    taken_ok 'the token still does', 'bearer', bearer('bearer', $token), 'bob@example.com';
    ok $browser->get('/x')->from_backend, 'and so does the session';
    for my $value ('Bearer ', 'Bearer ' . $browser->session) {
        my $visitor = signed_in('bearer');
        $value = 'Bearer ' . $visitor->session if $value ne 'Bearer ';
        my $answer = $visitor->request('POST', '/authservice/logout', headers => [Authorization => $value, Accept => '*/*', Origin => $visitor->origin]);
        is $answer->status, 201, 'as the dashboards of Kubeflow sign out';
        is $visitor->get('/x')->status, 302, 'and nobody is signed in';
    }
};

subtest 'M 172 a token elsewhere is no token' => sub {
    my $token = token('bearer');
    is browser('bearer')->api("/x?access_token=$token")->status, 401, 'in the query';
    my $form = browser('bearer')->post('/x', "access_token=$token", 'Content-Type' => 'application/x-www-form-urlencoded', Accept => 'application/json');
    is $form->status, 401, 'in a form';
    for my $name ('X-Authorization', 'Proxy-Authorization', 'X-Forwarded-Access-Token', 'Authorization_') {
        is browser('bearer')->api('/x', $name => "Bearer $token")->status, 401, "in $name";
    }
};

subtest 'M 173 signed out while it is known' => sub {
    my $token = token('bearer', set => { sid => 'sid-of-bearer' });
    taken_ok 'first', 'bearer', bearer('bearer', $token);
    my $told = browser('bearer')->post('/authservice/backchannel-logout',
        'logout_token=' . escape(realm('bearer')->logout_token(set => { sid => 'sid-of-bearer' })), 'Content-Type' => 'application/x-www-form-urlencoded');
    is $told->status, 200, 'the realm ends its session';
    ok wait_until(sub { bearer('bearer', $token)->status == 401 }), 'it is refused soon';
    refused_ok_bearer 'for good', 'bearer', 'signed-out', sub { bearer('bearer', $token) };
    taken_ok 'others are not', 'bearer', bearer('bearer', token('bearer', set => { sid => 'another-sid' }));
};

subtest 'off: the header is the backend\'s own' => sub {
    my $token = token('bearer-off');
    is browser('bearer-off')->api('/x', Authorization => "Bearer $token")->status, 401, 'it signs nobody in';
    my $browser = signed_in('bearer-off') // return fail 'nobody can sign in';
    taken_ok 'a session counts', 'bearer-off', $browser->get('/x', Authorization => 'Bearer anything');
    is_deeply [headers_named(last_seen('bearer-off'), 'Authorization')], ['Bearer anything'], 'and it goes on';
};

# ---- the ID token for backends ----

sub issued { my $site = shift; return (realm($site)->log('token'))[-1]{answer}{id_token} }
sub authorization { my $site = shift; return [headers_named(last_seen($site), 'Authorization')] }

subtest 'KeycloakIDTokenHeader Authorization' => sub {
    my $site = 'bearer-hand';
    my $browser = signed_in($site) // return fail 'nobody can sign in';
    my $expected = ['Bearer ' . issued($site)];
    for my $round (1 .. 3) {
        $browser->get('/x');
        is_deeply authorization($site), $expected, "the session's ID token";
    }
    $browser->get('/x', Authorization => 'Basic YTpi');
    is_deeply authorization($site), $expected, 'in place of what the client sends';
    $browser->get('/claim');
    is_deeply authorization($site), $expected, 'also where a claim was asked for';
    my $token = token($site);
    taken_ok 'a bearer', $site, bearer($site, $token);
    is_deeply authorization($site), ["Bearer $token"], 'goes on itself';
    for my $name (qw(Authorization AUTHORIZATION Authori_zation authori.zation)) {
        for my $path (qw(/public/x /open)) {
            my $visitor = browser($site);
            ok $visitor->get($path, $name => 'Basic YTpi')->from_backend, "$path without a session";
            is_deeply authorization($site), [], "$name does not get through";
        }
    }
    $browser->get('/x', Connection => 'authorization, close');
    is_deeply authorization($site), $expected, 'Connection takes it from nobody';
};

subtest 'KeycloakIDTokenHeader of another name' => sub {
    my $site = 'bearer-named';
    my $browser = signed_in($site) // return fail 'nobody can sign in';
    $browser->get('/x', X_ID_Token => 'forged', 'x.id.token' => 'forged', Authorization => 'Bearer mine');
    is_deeply [headers_named(last_seen($site), 'X-Id-Token')], [issued($site)], 'it has the token alone';
    is_deeply authorization($site), ['Bearer mine'], 'Authorization is the backend\'s own';
    browser($site)->get('/public/x', 'X-Id-Token' => 'forged');
    is_deeply [headers_named(last_seen($site), 'X-Id-Token')], [], 'nobody can forge it on a public path';
};

subtest 'the judge' => sub {
    my $site = 'bearer-judge';
    my $browser = signed_in($site) // return fail 'nobody can sign in';
    my $removals = sub { return [grep { /authorization/i } split /,/, shift->header('x-envoy-auth-headers-to-remove') // ''] };
    my $answer = $browser->get('/x', Authorization => 'Basic YTpi');
    is $answer->status, 200, 'a session is allowed';
    is_deeply [$answer->all('Authorization')], ['Bearer ' . issued($site)], 'with its ID token, once';
    is_deeply $removals->($answer), [], 'which nobody removes';
    my $token = token($site);
    $answer = browser($site)->get('/x', Authorization => "Bearer $token");
    is $answer->status, 200, 'a bearer is allowed';
    is_deeply [$answer->all('Authorization')], ["Bearer $token"], 'with itself';
    is_deeply [$answer->all('kubeflow-userid')], [$ALICE], 'as its user';
    for my $path (qw(/public/x /open)) {
        $answer = browser($site)->get($path, Authorization => 'Basic YTpi');
        is $answer->status, 200, "$path is allowed";
        is_deeply [$answer->all('Authorization')], [''], 'with an empty one';
        is_deeply $removals->($answer), ['Authorization'], 'that the gateway takes away';
    }
    $answer = browser($site)->get('/x', Authorization => 'Bearer a.b.c');
    is $answer->status, 401, 'a bad bearer is refused';
    is_deeply [$answer->all('Authorization')], [], 'and nothing handed on';
};

done_testing;
