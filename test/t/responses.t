# SPDX-License-Identifier: Apache-2.0
# threats.md Q: what the module's own answers contain, and what they do not.
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::World;

my $SITE = 'answers';

# Every kind of answer that the module gives by itself.
sub answers {
    my %answers;
    my $browser = browser($SITE);
    $answers{'start'} = $browser->get('/x');
    $answers{'login'} = browser($SITE)->get('/authservice/login?return=%2F');
    my $back = $browser->authorize($answers{'start'}->header('Location'));
    my $cookies = $browser->cookie_header;
    $answers{'callback'} = $browser->get($back);
    $answers{'callback again'} = $browser->get($back);
    $answers{'callback spent'} = browser($SITE)->get($back, Cookie => $cookies);
    $answers{'callback without parameters'} = browser($SITE)->get('/authservice/oidc/callback');
    $answers{'callback with an error'} = do {
        my $other = browser($SITE);
        my $url = $other->authorize($other->start('/x'));
        $other->get($url =~ s/code=[^&]+/error=access_denied/r);
    };
    $answers{'callback by POST'} = $browser->post('/authservice/oidc/callback', 'code=x');
    realm($SITE)->set(id_token => { shape => 'flipped_signature' });
    $answers{'refused token'} = browser($SITE)->sign_in('/x');
    realm($SITE)->reset;
    $answers{'realm down'} = browser('refused')->get('/x');
    $answers{'store down'} = browser('memcached-down')->get('/x', Cookie => 'keycloak_session=' . 'A' x 43);
    $answers{'API'} = browser($SITE)->api('/x');
    $answers{'API by POST'} = browser($SITE)->post('/x', 'a=b');
    $answers{'not found'} = $browser->get('/authservice/nothing');
    $answers{'forbidden'} = do { my $in = signed_in('access'); $in->get('/role-other') };
    $answers{'logout'} = $browser->get('/authservice/logout');
    return %answers;
}

my %answers = answers();
for my $name (sort keys %answers) {
    my $response = $answers{$name};
    subtest "192, 194 $name" => sub {
        ok $response->status, 'an answer came';
        like $response->header('Cache-Control') // '', qr/\bno-store\b/, 'Cache-Control: no-store' or diag $response->text;
        isnt $response->status, 307, 'not 307';
        isnt $response->status, 308, 'nor 308';
        ok !$response->from_backend, 'no header of the backend';
        unlike $response->text, qr/backend=seen|X-Backend/i, 'nor a cookie of it';
        unlike $response->body, qr/"target"/, 'nor its body';
        unlike $response->body, qr/canary-client-secret/, 'no secret';
        if ($response->status >= 400) {
            like $response->tag, qr/^KC\d{4}$/, 'a tag';
            like $response->header('Content-Type') // '', qr{^(?:text/html|application/json)\b}, 'a page or JSON';
            like $response->header('X-Content-Type-Options') // '', qr/^nosniff$/, 'nosniff';
            unlike $response->body, qr{https?://(?!127\.0\.0\.1|answers\.test|access\.test)}, 'nothing fetched from elsewhere';
        }
    };
}

for my $name (grep { /^callback|refused token/ } sort keys %answers) {
    is $answers{$name}->header('Referrer-Policy'), 'no-referrer', "192 $name: no-referrer";
}
is $answers{'callback'}->status, 303, '192 the callback answers 303';
is $answers{'start'}->status, 302, '192 a start answers 302';
for my $name ('callback', 'start') {
    is scalar($answers{$name}->all($_)), 1, "192 $name: one $_" for qw(Cache-Control Location);
}

subtest '194 error pages for people, JSON for scripts' => sub {
    for my $name ('refused token', 'callback with an error', 'realm down', 'forbidden') {
        my $body = $answers{$name}->body;
        like $answers{$name}->header('Content-Type'), qr{^text/html;\s*charset=utf-8}i, "$name: HTML in UTF-8";
        like $body, qr/<!doctype html>/i, 'a whole page';
        like $body, qr{request <code>[A-Za-z0-9_-]+</code>}i, 'with the request id';
        like $answers{$name}->header('Content-Security-Policy') // '', qr/default-src 'none'/, 'and a policy that lets nothing in';
    }
    my $json = $answers{'API'}->json || {};
    is_deeply [sort keys %$json], [qw(error error_description login_url request_id tag)], 'the members of the JSON';
};

subtest '190 no request id twice' => sub {
    my %ids = map { ((browser($SITE)->api('/x')->json || {})->{request_id} // '') => 1 } 1 .. 5;
    is scalar(keys %ids), 5, 'five requests, five ids';
};

subtest 'a body that nobody wants is not waited for' => sub {
    my $in = signed_in('access') or return fail 'signing in';
    my @own = ('access', 'Cookie: ' . $in->cookie_header . "\r\n");
    for my $case ([401, 'POST /x', $SITE], [302, 'GET /x', $SITE], [405, 'PUT /authservice/logout', $SITE], [404, 'PUT /authservice/nothing', $SITE],
        [403, 'POST /role-other', @own], [403, 'POST /open/denied', 'access'], [201, 'POST /authservice/logout', @own])
    {
        my ($status, $line, $site, $more) = @$case;
        for my $framing ('Content-Length: 1000', 'Transfer-Encoding: chunked') {
            my $accept = $status == 302 ? 'text/html' : 'application/json';
            my $answer = browser($site)->raw("$line HTTP/1.1\r\nHost: $site.test\r\nAccept: $accept\r\n" . ($more // '') . "$framing\r\n\r\n5");
            is $answer->status, $status, "$line, $framing";
        }
    }
    my $next = "POST /x HTTP/1.1\r\nHost: $SITE.test\r\nContent-Length: 0\r\n";
    my @kept = browser($SITE)->raw("$next\r\n${next}Connection: close\r\n\r\n")->text =~ m{HTTP/1\.1 (\d+)}g;
    is_deeply \@kept, [401, 401], 'without one the connection is kept';
};

subtest 'what a backend says beside that stays as it is' => sub {
    my $in = signed_in($SITE) or return fail 'signing in';
    my %said = map { $_ => "value-of-$_" } qw(A Age Akamai-Other Accept-Ranges C Content-Language Cdn-Other Cloudflare-Other E Edge-Other Etc
        N Nel Nothing Netlify-Other V Via Vercel-Other S Sx Sec-Thing Server-Timing Strict-Transport-Security Surrogate-Other Set-Other
        X Xen X-B X-Accel-Redirected X_Accel-Expires Zebra);
    my $answer = $in->get('/said?' . join '&', map { 'h=' . escape("$_: $said{$_}") } sort keys %said);
    is $answer->status, 200, 'an answer';
    is join('|', $answer->all($_)), $said{$_}, $_ for sort keys %said;
    is $answer->header('Cache-Control'), 'private', 'no shared cache keeps it';
    my $public = $in->get('/said?h=' . escape('Cache-Control: public, max-age=60'));
    is $public->header('Cache-Control'), 'public, max-age=60', 'what is said to be for everybody stays so';
    is $in->get('/status/304')->header('Cache-Control'), undef, 'and what is not modified is what it was';
};

done_testing;
