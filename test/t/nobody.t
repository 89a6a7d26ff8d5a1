# SPDX-License-Identifier: Apache-2.0
# threats.md 205: a request without a user is not a user named "".
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::World;

my $SITE = 'nobody-here';
my $in = signed_in($SITE, path => '/authservice/login') or die "cannot sign in\n";

sub nameless_ok {
    my ($response, $name) = @_;
    like $response->body, qr/^GATEWAY_INTERFACE=CGI/m, "$name: the program answers" or diag $response->text;
    unlike $response->body, qr/^(?:REDIRECT_)?REMOTE_USER=/m, 'and knows no user';
    unlike $response->body, qr/^(?:REDIRECT_)?AUTH_TYPE=/m, 'nor a way in which it was let in';
    unlike $response->body, qr/^(?:REDIRECT_)?KEYCLOAK_|^HTTP_KUBEFLOW_/m, 'nor anything else of one';
    return;
}

my $out = browser($SITE);
nameless_ok $out->get('/local/env.cgi', 'kubeflow-userid' => 'mallory@example.com'), 'without a session';
nameless_ok browser($SITE)->get('/local/env.cgi', Cookie => 'keycloak_session=' . 'A' x 43), 'with an unknown one';
nameless_ok $out->get('/moved'), 'behind a rewrite';
for my $path ('/named/x', '/grouped/x') {
    my $before = hits($SITE);
    my $response = $out->get($path);
    like $response->status, qr/^(?:401|403)$/, "$path: not let in" or diag $response->text;
    nameless_ok $response, "$path: the error page's program";
    is hits($SITE), $before, 'the backend is not reached';
}
my $body = $in->get('/local/env.cgi')->body;
like $body, qr/^REMOTE_USER=alice\@example\.com$/m, 'with a session there is a user';
like $body, qr/^AUTH_TYPE=Keycloak$/m, 'and a way';
is identity($in->seen('/named/x')), 'alice@example.com', 'who is let in where only they may';
is $out->get('/pages/x')->status, 200, 'Require valid-user lets the nameless in where they may pass';
unlike error_log('access_log'), qr/^\Q$SITE\E\.test \d+ ""/m, 'the log has no user named "" either';
like error_log('access_log'), qr/^\Q$SITE\E\.test 200 - /m, 'but nobody';

done_testing;
