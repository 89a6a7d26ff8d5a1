# SPDX-License-Identifier: Apache-2.0
# A protected path is protected on every way to it: public paths, internal redirects, the module's own addresses.
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::World;

my $SITE = 'guards';
my $out = browser($SITE);

# The answer's status, and how often the backend was reached for it.
sub visit {
    my ($site, $path) = @_;
    my $before = hits($site);
    my $response = browser($site)->get($path);
    return ($response, hits($site) - $before);
}

subtest 'a public path needs no sign-in' => sub {
    my ($response, $reached) = visit($SITE, '/public/x');
    ok $response->from_backend, 'it is open';
    is $reached, 1, 'the backend is reached';
};

subtest 'pages about signing in and out that are an administrator\'s' => sub {
    my $page = $out->get('/authservice/site/after-logout');
    ok asked_to_sign_in($page, $SITE), 'are guarded like any other';
    my $in = signed_in($SITE) or return fail 'signing in';
    is identity($in->seen('/authservice/site/after-logout')), 'alice@example.com', 'and are the backend\'s';
    is $in->get($_)->status, 404, "$_ is ours, and is nothing" for qw(/authservice/site /authservice/sites/x /authservice/);
};

subtest 'an error document at an address of ours' => sub {
    my $in = signed_in('error-ours') or return fail 'signing in';
    my $response = $in->get('/local/nothing', Accept => 'text/html', 'Sec-Fetch-Site' => 'none');
    is $response->status, 404, 'is no request for it' or diag $response->text;
    is_deeply [$response->all('Set-Cookie'), $response->all('Location')], [], 'and nothing comes of it';
    is identity($in->seen), 'alice@example.com', 'nobody is signed out';
};

for my $path ('/public/elsewhere', '/public/elsewhere/x', '/public/nobody') {
    subtest "other Require lines still count below a public path: $path" => sub {
        my ($response, $reached) = visit($SITE, $path);
        is $response->status, 403, 'closed' or diag $response->text;
        is $reached, 0, 'the backend is not reached';
    };
}

subtest 'a public path does not lead to a protected one by an error document' => sub {
    is ((visit($SITE, '/dashboard/notfound'))[0]->status, 302, 'the error document is protected');
    my ($response, $reached) = visit($SITE, '/public/status/404');
    ok !$response->from_backend, 'nothing of it is shown' or diag $response->text;
    is $reached, 1, 'the backend is reached for the public path alone';
    is scalar($response->session_cookies), 0, 'no session is made';
};

subtest 'signed in, the error document arrives, with the name' => sub {
    my $in = signed_in($SITE) or return fail 'signing in';
    is identity($in->get('/public/status/404')->json || {}), 'alice@example.com', 'as alice';
};

for my $path ('/authservice/zzz', '/authservice/', '/authservice/oidc/callbackX') {
    subtest "FallbackResource does not take our addresses over: $path" => sub {
        my ($response, $reached) = visit('fallback', $path);
        is $response->status, 404, '404 of ours' or diag $response->text;
        is $response->tag, 'KC0105', 'with its tag';
        is $reached, 0, 'the backend is not reached';
    };
}

subtest 'signing in beside FallbackResource' => sub {
    ok asked_to_sign_in(browser('fallback')->get('/whatever'), 'fallback'), 'the sign-in';
    my $in = signed_in('fallback', path => '/whatever') or return fail 'signing in';
    is identity($in->get('/whatever')->json || {}), 'alice@example.com', 'arrives as alice';
};

done_testing;
