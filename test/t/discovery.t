# SPDX-License-Identifier: Apache-2.0
# threats.md D: discovery documents that must not be trusted, and mixed-up providers.
use strict;
use warnings;
use Test::More;
use JSON::PP qw(decode_json);
use Keycloak::Expect;
use Keycloak::World;

# The rows of conf/realms.json whose names begin with d70, d71, k152, k153, k157: each a realm that nobody has asked yet.
open my $file, '<', "$ENV{KC_ROOM}/t/conf/realms.json" or die "realms.json: $!";
my $rows = decode_json(do { local $/; <$file> });
for my $name (sort keys %$rows) {
    my ($number) = $name =~ /^[dk](7[01]|15[237])-/ or next;
    my $row = $rows->{$name};
    if ($row->{works}) {
        works_ok "$number $row->{about}", $name, realm => $row->{scheme} ? "tls:$name" : $name;
    } else {
        closed_ok "$number $row->{about}", $name, tag => $row->{tag};
    }
}

subtest '70 the log shows both issuers' => sub {
    like error_log(), qr{KC0204:[^\n]*/realms/d70-slash\b[^\n]*/realms/d70-slash/}, 'expected and found';
};

subtest '71 the log says which endpoint is not used, and why' => sub {
    like error_log(), qr{KC0205: metadata and keys of [^\n]*d71-http-userinfo[^\n]*userinfo_endpoint is on http}, 'http';
    like error_log(), qr{KC0205: metadata and keys of [^\n]*d71-origin-logout[^\n]*end_session_endpoint is at https://login.example.com},
        'another origin';
};

# ---- 72: iss in the callback

my $callback = sub {
    my ($site, $change) = @_;
    my $browser = browser($site);
    my $back = $browser->authorize($browser->start('/inside'));
    $back = $change->($back);
    return ($browser, $browser->get($back), $back);
};
my %iss = (
    '72 iss of another realm'      => sub { my $url = shift; $url =~ s/realms%2Fcallback/realms%2Fcallback-b/; $url },
    '72 iss with a slash more'     => sub { my $url = shift; $url =~ s/(iss=[^&]+)/$1%2F/; $url },
    '72 iss empty'                 => sub { my $url = shift; $url =~ s/iss=[^&]+/iss=/; $url },
    '72 iss missing, though advertised' => sub { my $url = shift; $url =~ s/&?iss=[^&]+//; $url },
);
for my $name (sort keys %iss) {
    subtest $name => sub {
        my $before = hits('callback');
        my $tokens = fetched('callback', 'token');
        my ($browser, $response) = $callback->('callback', $iss{$name});
        is $response->status, 401, 'status 401' or diag $response->text;
        is $response->tag, 'KC0306', 'KC0306';
        is fetched('callback', 'token'), $tokens, 'the code is not redeemed';
        no_session_ok($response, $browser, 'callback', $before);
    };
}
subtest '72 iss not advertised and not sent works; sent and wrong is refused' => sub {
    my ($browser, $response, $back) = $callback->('d72-iss-not-advertised', sub { shift });
    unlike $back, qr/[?&]iss=/, 'the realm sends none';
    is $response->status, 303, 'signed in' or diag $response->text;
    ($browser, $response) = $callback->('d72-iss-not-advertised', sub { shift() . '&iss=http%3A%2F%2F127.0.0.1%2Fother' });
    is $response->status, 401, 'a wrong one is refused';
};

# ---- 73: mix-up

subtest '73 code of realm B with the state of realm A' => sub {
    my $before = hits('callback');
    my ($a, $b) = (browser('callback'), browser('callback-b'));
    my $back_a = $a->authorize($a->start('/'));
    my $back_b = $b->authorize($b->start('/'));
    my ($code) = $back_b =~ /[?&]code=([^&]+)/;
    $back_a =~ s/([?&]code=)[^&]+/$1$code/;
    my $response = $a->get($back_a);
    is $response->status, 401, 'refused' or diag $response->text;
    is $response->tag, 'KC0308', 'by the realm that was asked';
    no_session_ok($response, $a, 'callback', $before);
};

subtest '73 the whole answer of realm B at site A' => sub {
    my $before = hits('callback');
    my ($a, $b) = (browser('callback'), browser('callback-b'));
    $a->start('/');
    my $back = $b->authorize($b->start('/'));
    my $tokens = fetched('callback', 'token');
    my $response = $a->get($back, Cookie => join '; ', $a->cookie_header, $b->cookie_header);
    ok $response->status == 400 || asked_to_sign_in($response, 'callback'), 'not taken';
    is fetched('callback', 'token'), $tokens, 'the code is not redeemed';
    no_session_ok($response, $a, 'callback', $before);
};

# ---- 75: Host

my %spoofed = (
    'another host'        => ['evil.example.com'],
    'another port'        => ['fixed.test:1'],
    'a user before it'    => ['evil@fixed.test'],
    'a path behind it'    => ['x.fixed.test'],
);
for my $what (sort keys %spoofed) {
    my ($host) = @{ $spoofed{$what} };
    subtest "75 spoofed Host: $what" => sub {
        for my $site (qw(fixed canonical)) {
            my $response = browser($site)->raw("GET / HTTP/1.1\r\nHost: $host\r\nAccept: text/html\r\nConnection: close\r\n\r\n");
            # A Host that no site has goes to the first; that one does not sign in.
            if (($response->header('Location') // '') =~ m{/realms/}) {
                like query_of($response->header('Location'))->{redirect_uri},
                    qr{^http://(?:fixed|canonical)\.test:$ENV{KC_PORT}/authservice/oidc/callback$}, 'redirect_uri is the administrator\'s';
            } else {
                unlike $response->text, qr/evil/, 'no redirect at all, and the name is not repeated';
            }
        }
    };
}
for my $site (qw(fixed canonical)) {
    subtest "75 another name of the site $site" => sub {
        my $response = browser($site)->get('/', Host => "x.$site.test:$ENV{KC_PORT}");
        is query_of($response->header('Location'))->{redirect_uri}, "http://$site.test:$ENV{KC_PORT}/authservice/oidc/callback",
            'leaves redirect_uri unchanged';
    };
}
subtest '75 X-Forwarded-Host and Forwarded of anybody' => sub {
    for my $site (qw(plain fixed)) {
        my $response = browser($site)->get('/', 'X-Forwarded-Host' => 'evil.example.com', 'X-Forwarded-Proto' => 'https',
            'X-Forwarded-Port' => '1', Forwarded => 'host=evil.example.com;proto=https', 'X-Host' => 'evil.example.com');
        is query_of($response->header('Location'))->{redirect_uri}, "http://$site.test:$ENV{KC_PORT}/authservice/oidc/callback",
            "$site: redirect_uri unchanged";
    }
};

subtest '208 a virtual host that the document does not fit takes no neighbour down' => sub {
    for my $round (1 .. 3) {
        for my $site (qw(neighbours-before neighbours-behind)) {
            my $misfit = browser($site)->get('/inside');
            is $misfit->status, 503, "round $round: $site is closed";
            is $misfit->tag, 'KC0203', 'with the reason';
            ok asked_to_sign_in(browser('neighbours')->get('/inside'), 'neighbours'), 'and the other open, at once';
        }
    }
    my $browser = signed_in('neighbours') or return fail 'signing in';
    is identity($browser->seen), 'alice@example.com', 'people sign in there';
    realm('neighbours')->rotate;
    browser($_)->get('/inside') for qw(neighbours-before neighbours-behind);
    ok signed_in('neighbours'), 'also by new keys';
};

subtest '76 an issuer named by a request is never asked' => sub {
    my $evil = escape("$ENV{KC_PROVIDER}/realms/evil");
    my $browser = browser('callback');
    $browser->get("/authservice/login?iss=$evil&return=%2F");
    $browser->get("/authservice/login?issuer=$evil&target_link_uri=%2F");
    $browser->get("/authservice/oidc/callback?iss=$evil&login_hint=x");
    $browser->get("/authservice/oidc/callback?iss=$evil&target_link_uri=%2Fx");
    $browser->get("/?iss=$evil", Issuer => "$ENV{KC_PROVIDER}/realms/evil");
    is scalar(realm('evil')->log), 0, 'nobody came';
};

done_testing;
