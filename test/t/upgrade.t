# SPDX-License-Identifier: Apache-2.0
# What httpd itself does with a request before and after this module: an upgrade to HTTP/2, and its own log lines.
use strict;
use warnings;
use Test::More;
use JSON::PP ();
use Keycloak::Expect;
use Keycloak::Server;
use Keycloak::World;

my $site = 'upgrade';
my $server = Keycloak::Server->new($site, lines => [
    "LoadModule http2_module $ENV{KC_MODULES}/mod_http2.so", 'Protocols h2c http/1.1', 'LogLevel trace8', 'KeycloakBearer on']);
local $ENV{KC_PORT} = $server->port;
my $in = signed_in($site) or die "cannot sign in\n";

sub curl {
    my (@options) = @_;
    open my $pipe, '-|', 'curl', '-sSi', '--max-time', 20, '--resolve', "$site.test:$ENV{KC_PORT}:127.0.0.1", @options or die "curl: $!";
    my $text = do { local $/; <$pipe> };
    close $pipe;
    return $text;
}

subtest 'an upgrade to h2c keeps the session' => sub {
    my $text = curl('--http2', '-H', 'Accept: text/html', '-b', $in->cookie_header, $in->origin . '/x');
    like $text, qr/"kubeflow-userid", "alice\@example\.com"/, 'the page is alice\'s' or diag $text;
    unlike $text, qr/mallory/, 'and hers alone';
    $text = curl('--http2', '-H', 'Accept: text/html', '-H', 'kubeflow-userid: mallory@example.com', $in->origin . '/x');
    like $text, qr{^HTTP/\S+ 302}m, 'a stranger is sent to the sign-in, as a page is' or diag $text;
    unlike $text, qr/X-Backend/i, 'and gets nothing else';
};
subtest 'without an upgrade HTTP/2 is as it was' => sub {
    my $text = curl('--http2-prior-knowledge', '-b', $in->cookie_header, $in->origin . '/x');
    like $text, qr{^HTTP/2 200}, 'over HTTP/2' or diag $text;
    like $text, qr/"kubeflow-userid", "alice\@example\.com"/, 'as alice';
};
for my $upgrade ('h2c', 'H2C', 'h2', 'h2c, foo/2', 'websocket, h2c', 'foo/1 , h2c ,bar', 'h2c/1', 'h2/1', 'h2/1, x', 'x', 'h2x', 'h2cx', ',', '') {
    subtest "Upgrade: $upgrade" => sub {
        my $response = $in->get('/x', Upgrade => $upgrade, Connection => 'Upgrade, HTTP2-Settings, close', 'HTTP2-Settings' => 'AAMAAABkAAQAoAAAAAIAAAAA');
        is $response->status, 200, 'is answered over HTTP/1.1' or diag $response->text;
        is identity($response->json || {}), 'alice@example.com', 'as alice';
        unlike $response->text, qr{^HTTP/1\.1 101}, 'and not switched';
    };
}
subtest 'a sign-in with an upgrade offered all the way' => sub {
    my $browser = browser($site);
    my @offer = (Upgrade => 'h2c', Connection => 'Upgrade, HTTP2-Settings, close', 'HTTP2-Settings' => 'AAMAAABkAAQAoAAAAAIAAAAA');
    my $back = $browser->authorize($browser->get('/x', @offer)->header('Location')) or return fail 'no way to the realm';
    is $browser->get($back, @offer)->status, 303, 'the callback has its code';
    is identity($browser->seen('/x', @offer)), 'alice@example.com', 'and the session counts';
};

subtest 'httpd\'s own lines at the highest level' => sub {
    my $browser = browser($site);
    my $start = $browser->get('/x');
    my $query = query_of($start->header('Location'));
    my %secret = (state => $query->{state}, nonce => $query->{nonce}, 'login cookie' => (values %{ $browser->jar })[0]);
    my $back = $browser->authorize($start->header('Location'));
    $secret{code} = query_of($back)->{code};
    $browser->get($back);
    $secret{session} = $browser->session or return fail 'signing in';
    $browser->get('/mine?a=an-application-query', Cookie => $browser->cookie_header . '; theme=an-application-cookie');
    $browser->get($back);
    browser($site)->raw("GET $back HTTP/1.1\r\nHost: a b\r\n\r\n");
    my $token = $secret{'bearer token'} = realm($site)->bearer_token;
    is browser($site)->get('/x', Authorization => "Bearer $token")->status, 200, 'a bearer token is let in';
    curl('--http2-prior-knowledge', '-b', $browser->cookie_header, $browser->origin . '/x');
    $browser->get('/authservice/logout');
    my $log = $server->log;
    like $log, qr/trace5.*Request received from client: GET \/mine\?a=an-application-query HTTP/, 'request lines are there';
    like $log, qr{trace5.*Request received from client: GET /authservice/oidc/callback HTTP}, 'that of a callback without its query';
    like $log, qr/trace4.*Headers received from client:/, 'headers that came';
    like $log, qr/trace4.*Cookie: theme=an-application-cookie/, 'are those of the application';
    like $log, qr/trace4.*  X-Backend: yes/, 'headers that go too';
    for my $name (sort keys %secret) {
        # what mod_http2 writes of its frames comes before any request
        my @lines = grep { !/\[http2:trace\d\]/ } grep { index($_, $secret{$name}) >= 0 || index($_, escape($secret{$name})) >= 0 } split /\n/, $log;
        is scalar(@lines), 0, "no line shows the $name" or diag join "\n", map { substr $_, 0, 400 } @lines[0 .. ($#lines > 2 ? 2 : $#lines)];
    }
};
$server->end;
unlike $server->log, qr/exit signal/, 'no child crashed';

done_testing;
