# SPDX-License-Identifier: Apache-2.0
# The ordinary life of a session: sign in, requests with identity, sign out; every kind of client authentication.
use strict;
use warnings;
use Test::More;
use JSON::PP ();
use Keycloak::Expect;
use Keycloak::World;

subtest 'a page is redirected to the realm with everything that the flow needs' => sub {
    my $browser = browser('plain');
    my $before = hits('plain');
    my $response = $browser->get('/pipeline/?ns=team-a');
    is $response->status, 302, 'redirected';
    my $location = $response->header('Location') // '';
    like $location, qr{^\Q$ENV{KC_PROVIDER}\E/realms/plain/protocol/openid-connect/auth\?}, 'to the realm';
    my $query = query_of($location);
    is $query->{response_type}, 'code', 'for a code';
    is $query->{client_id}, 'app', 'as our client';
    is $query->{scope}, 'openid profile email', 'with the default scopes';
    is $query->{redirect_uri}, $browser->origin . '/authservice/oidc/callback', 'back to the callback';
    is $query->{code_challenge_method}, 'S256', 'with PKCE S256';
    like $query->{code_challenge}, qr/^[A-Za-z0-9_-]{43}$/, 'a challenge';
    like $query->{state}, qr/^[A-Za-z0-9_.-]{22,}$/, 'a state of 128 bits or more';
    like $query->{nonce}, qr/^[A-Za-z0-9_-]{22,}$/, 'a nonce of 128 bits or more';
    my %count;
    $count{ $_->[0] }++ for query_of($location);
    is scalar(grep { $_ > 1 } values %count), 0, 'no parameter twice';
    my ($cookie) = $response->all('Set-Cookie');
    my $short = substr $query->{state}, 0, 16;
    like $cookie, qr/^keycloak_login_\Q$short\E=/, 'the state cookie is named by the state';
    like $response->header('Cache-Control') // '', qr/no-store/, 'not to be cached';
    is hits('plain'), $before, 'the backend is not reached';
};

subtest 'signed in, the backend sees the user once, and none of our cookies' => sub {
    my $browser = signed_in('plain') or return fail 'signing in';
    my $seen = $browser->seen('/dashboard', Cookie => $browser->cookie_header . '; theme=dark');
    is identity($seen), 'alice@example.com', 'kubeflow-userid';
    is join('|', headers_named($seen, 'kubeflow-groups')), 'team-a,team-b/lead', 'kubeflow-groups without slashes';
    is join('|', headers_named($seen, 'Cookie')), 'theme=dark', 'other cookies go on';
    is $seen->{target}, '/dashboard', 'at the path';
    like $browser->session, qr/^[A-Za-z0-9_-]{43}$/, 'the session cookie is 43 characters';
    is join('|', $browser->login_names), '', 'the login cookie is gone';
};

subtest 'the log knows the user' => sub {
    my $browser = signed_in('plain') or return fail 'signing in';
    $browser->get('/logged-line');
    ok wait_until(sub { error_log('access_log') =~ m{plain\.test 200 alice\@example\.com 5b0a2c1e-\S+ "GET /logged-line} }),
        'REMOTE_USER and KEYCLOAK_SUB are in the access log';
};

subtest 'HEAD and POST pass with a session; the body arrives' => sub {
    my $browser = signed_in('plain') or return fail 'signing in';
    my $response = $browser->post('/upload', 'x' x 70_000, 'Content-Type' => 'text/plain');
    is $response->status, 200, 'POST';
    is $response->json->{body}, 70_000, 'with its whole body';
    is $browser->request('HEAD', '/page')->status, 200, 'HEAD';
};

subtest 'API calls get 401 and JSON, never a redirect' => sub {
    my %signs = (
        'Accept: application/json'       => [Accept => 'application/json'],
        'X-Requested-With'               => ['X-Requested-With' => 'XMLHttpRequest'],
        'Sec-Fetch-Mode: cors'           => ['Sec-Fetch-Mode' => 'cors'],
        'Upgrade: websocket'             => [Upgrade => 'websocket', Connection => 'Upgrade'],
        'Accept: */*'                    => [Accept => '*/*'],
    );
    my $before = hits('plain');
    for my $name (sort keys %signs) {
        my $response = browser('plain')->get('/api?x=1', @{ $signs{$name} });
        is $response->status, 401, "$name: 401";
    }
    is browser('plain')->request($_, '/api')->status, 401, "$_: 401" for qw(POST PUT DELETE PATCH OPTIONS);
    my $response = browser('plain')->api('/api?x=1');
    like $response->header('WWW-Authenticate') // '', qr/^Bearer realm="/, 'WWW-Authenticate';
    like $response->header('Content-Type') // '', qr{^application/json}, 'JSON';
    my $json = $response->json || {};
    is $json->{error}, 'login_required', 'error';
    like $json->{tag} // '', qr/^KC\d{4}$/, 'tag';
    ok length($json->{request_id} // ''), 'request id';
    like $json->{login_url} // '', qr{/authservice/login\?return=}, 'where to sign in';
    is scalar($response->all('Set-Cookie')), 0, 'no cookie';
    is hits('plain'), $before, 'the backend is not reached';
};

subtest 'a page in a browser: Sec-Fetch-Mode navigate, no Accept at all' => sub {
    ok asked_to_sign_in(browser('plain')->get('/', 'Sec-Fetch-Mode' => 'navigate'), 'plain'), 'navigate';
    ok asked_to_sign_in(browser('plain')->get('/', Accept => undef), 'plain'), 'no Accept';
};

subtest 'login?return= signs in and goes there' => sub {
    my $browser = browser('plain');
    my $response = $browser->sign_in('/authservice/login?return=%2Ffrom%3Fa%3Db');
    is $response->status, 303, 'signed in' or diag $response->text;
    is $response->led_to, '/from?a=b', 'at the page';
};

subtest 'the prefix is ours alone' => sub {
    my $browser = signed_in('plain') or return fail 'signing in';
    my $before = hits('plain');
    for my $path (qw(/authservice/ /authservice/nothing /authservice/oidc/callbackX /authservice/oidc/callback/x)) {
        my $response = $browser->get($path);
        is $response->status, 404, "$path is a 404";
        like $response->tag, qr/^KC\d{4}$/, 'of ours';
    }
    is hits('plain'), $before, 'the backend is not reached';
};

subtest 'logout ends the session here and at the realm' => sub {
    my $browser = signed_in('logout') or return fail 'signing in';
    my $old = $browser->cookie_header;
    my $response = $browser->get('/authservice/logout');
    like $response->status, qr/^30[23]$/, 'redirected';
    my $location = $response->header('Location') // '';
    like $location, qr{/realms/logout/protocol/openid-connect/logout\?}, 'to end_session_endpoint';
    my $query = query_of($location);
    is $query->{client_id}, 'app', 'with client_id';
    is $query->{post_logout_redirect_uri}, $browser->origin . '/authservice/oidc/callback', 'and where to come back to';
    is scalar(split /\./, $query->{id_token_hint} // ''), 3, 'and the ID token as hint';
    is $browser->session, undef, 'the cookie is deleted';
    my $before = hits('logout');
    ok asked_to_sign_in(browser('logout')->get('/', Cookie => $old), 'logout'), 'the old cookie opens nothing';
    is hits('logout'), $before, 'the backend is not reached';
};

subtest 'logout as an API call, by POST, and without a session' => sub {
    my $browser = signed_in('logout') or return fail 'signing in';
    my $old = $browser->cookie_header;
    my $response = $browser->request('POST', '/authservice/logout',
        headers => [Accept => 'application/json', 'X-Requested-With' => 'XMLHttpRequest']);
    is $response->status, 201, 'status 201';
    like eval { $response->json->{afterLogoutURL} } // '', qr/./, 'afterLogoutURL' or diag $response->text;
    ok !browser('logout')->get('/', Cookie => $old)->from_backend, 'the session is over';
    like browser('logout')->get('/authservice/logout')->status, qr/^30[23]$/, 'without a session: on to the page';
    is $browser->request('PUT', '/authservice/logout')->status, 405, 'PUT: 405';
};

subtest 'logout where the realm has no end_session_endpoint' => sub {
    my $browser = signed_in('no-end-session') or return fail 'signing in';
    my $response = $browser->get('/authservice/logout');
    is $response->status, 303, 'status 303';
    like $response->header('Location') // '', qr{^(?:\Q@{[$browser->origin]}\E)?/$}, 'to KeycloakAfterLogoutURL';
    is $browser->session, undef, 'the cookie is deleted';
};

subtest 'KeycloakAfterLogoutURL' => sub {
    my $browser = signed_in('return-hosts') or return fail 'signing in';
    my $query = query_of($browser->get('/authservice/logout')->header('Location'));
    is $browser->back_from_logout($query)->header('Location'), $browser->origin . '/goodbye', 'is where people arrive';
};

# ---- client authentication

my $file = sub { open my $handle, '<', "$ENV{KC_ROOM}/$_[0]" or die "$_[0]: $!"; local $/; <$handle> };
my %method = (
    client_secret_basic => {},
    client_secret_post  => {},
    client_secret_jwt   => {},
    private_key_jwt     => { key => $file->('client-jwt.pub'), secret => 'no longer used' },
    tls_client_auth     => { secret => 'no longer used' },
    none                => { secret => 'no longer used' },
);
for my $method (sort keys %method) {
    my $site = "auth-$method";
    my $realm = $method eq 'tls_client_auth' ? "tls:$site" : $site;
    realm($realm)->set(client => { auth => $method, %{ $method{$method} } });
    works_ok "client authentication: $method", $site, realm => $realm;
    is_deeply [map { $_->{status} } realm($realm)->log('token')], [200], "$method: one token request";
}

subtest 'a client that the realm does not know: a configuration error, told once with its tag' => sub {
    my $realm = realm('plain')->set(client => { secret => 'changed meanwhile' });
    my $mark = log_mark();
    my $browser = browser('plain');
    my $response = $browser->sign_in('/');
    is $response->status, 500, 'status 500';
    is $response->tag, 'KC0309', 'KC0309';
    is scalar($response->session_cookies), 0, 'no session';
    my @lines = log_since($mark) =~ /^.*\[auth_keycloak:error\].*KC0309.*$/mg;
    is scalar(@lines), 1, 'one error line';
    $realm->reset;
};

subtest 'a virtual host merges the server\'s settings and overrides them' => sub {
    realm('merged')->set(client => { id => 'other client', secret => 's%3A:cret &+/=' });
    my $browser = browser('merged');
    my $start = $browser->start('/x');
    is query_of($start)->{client_id}, 'other client', 'its client id';
    is query_of($start)->{redirect_uri}, $browser->origin . '/sign/oidc/callback', 'its prefix';
    my $response = $browser->get($browser->authorize($start));
    is $response->status, 303, 'its secret, odd characters included' or diag $response->text;
    is $browser->session_name, 'merged_session', 'its cookie';
    is identity($browser->seen), 'alice@example.com', 'signed in';
    is $browser->get('/authservice/oidc/callback')->from_backend, 1, 'the default prefix is not ours there';
};

subtest 'KeycloakRedirectURI, KeycloakAuthURL, KeycloakScope, KeycloakCookie' => sub {
    my $browser = browser('addresses');
    my $start = $browser->get('/x')->led_to;
    like $start, qr{^/realms/addresses/protocol/openid-connect/auth\?}, 'the browser is sent to a path of this host';
    my $query = query_of($start);
    is $query->{redirect_uri}, $browser->origin . '/oauth2/callback', 'the redirect URI is the one that was told';
    is $query->{scope}, 'openid groups', 'so is the scope';
    my $response = $browser->get($browser->authorize($ENV{KC_PROVIDER} . $start));
    is $response->status, 303, 'the callback is routed by the redirect URI' or diag $response->text;
    ok exists $browser->jar->{addresses_session}, 'the cookie has its name';
    is identity($browser->seen), 'alice@example.com', 'signed in';
};

subtest 'KeycloakBackchannelURL: browsers know the realm by one name, this host by another' => sub {
    my $public = 'https://sso.example.com';
    my $browser = browser('backchannel');
    my $start = $browser->start('/x');
    like $start, qr{^\Q$public\E/realms/backchannel/protocol/openid-connect/auth\?}, 'the browser is sent to the public name';
    my $response = $browser->get($browser->authorize($ENV{KC_PROVIDER} . substr $start, length $public));
    is $response->status, 303, 'code and keys were fetched by the other' or diag $response->text;
    is identity($browser->seen), 'alice@example.com', 'signed in';
    like $browser->get('/authservice/logout')->header('Location') // '', qr{^\Q$public\E/realms/backchannel/}, 'logout at the public name';
};

# ---- https and HTTP/2

subtest 'over https' => sub {
    my $browser = signed_in('secure', tls => 1) or return fail 'signing in';
    is $browser->session_name, '__Host-keycloak_session', 'the cookie has the __Host- prefix';
    is identity($browser->seen), 'alice@example.com', 'signed in';
    my ($auth) = realm('secure')->log('auth');
    is Keycloak::Realm::param($auth, 'redirect_uri'), $browser->origin . '/authservice/oidc/callback', 'an https callback';
};

subtest 'over HTTP/2' => sub {
    my $browser = signed_in('secure', tls => 1) or return fail 'signing in';
    open my $pipe, '-|', 'curl', '-sS', '--http2', '--max-time', 60, '--cacert', "$ENV{KC_ROOM}/ca.pem",
        '--connect-to', "secure.test:$ENV{KC_HTTPS_PORT}:127.0.0.1:$ENV{KC_HTTPS_PORT}",
        '-H', 'Cookie: ' . $browser->cookie_header, '-H', 'kubeflow-userid: mallory@example.com',
        '-w', "\n%{http_version}\n", $browser->origin . '/over-h2' or die "curl: $!";
    my $output = do { local $/; <$pipe> };
    close $pipe;
    my ($json, $version) = $output =~ /^(.*)\n(\S+)\n$/s;
    is $version, '2', 'HTTP/2 was spoken';
    is identity(eval { JSON::PP::decode_json($json) } || {}), 'alice@example.com', 'the identity is ours';
};

done_testing;
