# SPDX-License-Identifier: Apache-2.0
# threats.md K: a realm that is unreachable, slow, endless or wrong. KeycloakHTTPTimeout is short where tests must wait.
use strict;
use warnings;
use Test::More;
use JSON::PP qw(decode_json);
use Keycloak::Expect;
use Keycloak::World;

my $SITE = 'answers';
works_ok 'a sound realm works', $SITE;

# ---- the metadata

closed_ok '149 connection refused', 'refused', tag => 'KC0201';
closed_ok '149 a name that nobody has', 'unresolved', tag => 'KC0201';
closed_ok '149 a reset connection', 'k149-drop', tag => 'KC0201';
closed_ok '149 a black hole', 'k149-hang', tag => 'KC0201';
closed_ok '150 one octet a second', 'k150-drip', tag => 'KC0201';
closed_ok '150 one octet of header a second', 'k150-drip-header', tag => 'KC0201';
closed_ok '151 a body without end', 'k151-endless', tag => 'KC02\d\d';
subtest '151 is cut' => sub {
    my ($entry) = realm('k151-endless')->log('discovery');
    # The system's socket buffers take some megabytes more than the module does.
    cmp_ok $entry->{sent}, '<', 32 << 20, 'long before its end';
};
closed_ok '155 a certificate that no authority vouches for', 'untrusted', tag => 'KC0201';
closed_ok '155 a certificate of another name', 'misnamed', tag => 'KC0201';
ok error_log() =~ qr/KC0201: .*self-signed certificate.*\(put it, or the authority's that issued it, into KeycloakCAFile\)/, '155 the log names the directive where the authority is unknown';
ok error_log() =~ qr/KC0201: .*subject name.*\(it is for other names: look at KeycloakIssuer/, '155 and where the name is wrong';
is fetched('tls:untrusted', undef) + fetched('tls:misnamed', undef), 0, '155 nothing was said to either';
works_ok '155 a certificate that KeycloakCAFile vouches for', 'trusted', realm => 'tls:trusted';
closed_ok '156 discovery answers 500', 'k156-500', tag => 'KC020[123]';
closed_ok '156 discovery answers 429', 'k156-429', tag => 'KC020[123]';
closed_ok '156 discovery answers 404', 'k156-404', tag => 'KC020[123]';
is fetched('k157-redirect-target', undef), 0, '154 a redirect of the document is not followed';

subtest '149 live sessions go on while the realm hangs' => sub {
    my $in = signed_in('outage') or return fail 'signing in';
    realm('outage')->set(faults => { map { $_ => { kind => 'hang' } } qw(discovery certs token userinfo) });
    my $browser = browser('outage');
    my $back = $browser->authorize($browser->start('/x'));
    my $request = "GET $back HTTP/1.1\r\nHost: outage.test:$ENV{KC_PORT}\r\nAccept: text/html\r\nConnection: close\r\nCookie: "
        . $browser->cookie_header . "\r\n\r\n";
    my $waiting = $browser->_connect;
    print $waiting $request;
    $waiting->flush;
    is identity($in->seen), 'alice@example.com', "request $_ passes" for 1 .. 5;
    my $answer = Keycloak::Response->new(do { local $/; <$waiting> } // '');
    is $answer->status, 503, 'the sign-in meanwhile: 503';
    is scalar($answer->session_cookies), 0, 'without a session';
    realm('outage')->reset;
    works_ok 'and when it is back, sign-ins work', 'outage';
};

# ---- the token endpoint

my $target = "$ENV{KC_PROVIDER}/realms/redirected/protocol/openid-connect/token";
my @faults = (
    ['149 a reset connection',       503, 'KC0201', { kind => 'drop' }],
    ['149 a black hole',             503, 'KC0201', { kind => 'hang' }, 'answers-waited-for'],
    ['150 one octet a second',       503, 'KC0201', { kind => 'drip' }, 'answers-waited-for'],
    ['151 a body without end',       503, 'KC02\d\d', { kind => 'endless' }],
    ['154 a redirect (302)',         '401|503', 'KC0(?:20\d|308)', { kind => 'redirect', location => $target }],
    ['154 a redirect (307)',         '401|503', 'KC0(?:20\d|308)', { kind => 'redirect', status => 307, location => $target }],
    ['154 a redirect (308)',         '401|503', 'KC0(?:20\d|308)', { kind => 'redirect', status => 308, location => $target }],
    ['156 500',                      503, 'KC020[12]', { kind => 'status', status => 500 }],
    ['156 502',                      503, 'KC020[12]', { kind => 'status', status => 502 }],
    ['156 503 with Retry-After',     503, 'KC020[12]', { kind => 'status', status => 503, headers => { 'Retry-After' => '0' } }],
    ['156 429',                      503, 'KC020[12]', { kind => 'status', status => 429, headers => { 'Retry-After' => '0' } }],
    ['156 500 with a good-looking body', 503, 'KC020[12]', { kind => 'status', status => 500, body => '{"id_token":"a.b.c","access_token":"x","token_type":"Bearer"}' }],
    ['157 HTML with 200',            503, 'KC0207', { kind => 'html' }],
    ['157 a truncated chunk',        503, 'KC020[17]', { kind => 'truncated_chunk' }],
    ['157 chunks without end',       503, 'KC020[17]', { kind => 'unfinished_chunks' }],
    ['157 fewer octets than announced', 503, 'KC020[17]', { kind => 'short' }],
    ['157 a gzip bomb',              503, 'KC020[17]', { kind => 'gzip_bomb' }],
    ['152 nesting over 32',          503, 'KC0207', { kind => 'body', body => '{"a":' . '[' x 40 . ']' x 40 . '}' }],
    ['153 duplicate keys',           503, 'KC0207', { kind => 'body', body => '{"id_token":"a","id_token":"b"}' }],
    ['153 an escaped NUL',           503, 'KC0207', { kind => 'body', body => '{"id_token":"a\u0000"}' }],
    ['153 1e999',                    503, 'KC0207', { kind => 'body', body => '{"expires_in":1e999}' }],
    ['153 an array as root',         503, 'KC0207', { kind => 'body', body => '[]' }],
    ['153 an empty body',            503, 'KC0207', { kind => 'body', body => '' }],
    ['an empty object',              401, 'KC0308', { kind => 'body', body => '{}' }],
    ['an OAuth error with 200',      '401|503', 'KC0(?:207|308)', { kind => 'body', body => '{"error":"invalid_grant"}' }],
    ['400 invalid_grant',            401, 'KC0308', { kind => 'status', status => 400, body => '{"error":"invalid_grant","error_description":"no\r\nmore"}' }],
    ['401 invalid_client',           500, 'KC0309', { kind => 'status', status => 401, body => '{"error":"invalid_client"}' }],
    ['400 with HTML',                401, 'KC0308', { kind => 'status', status => 400, type => 'text/html', body => '<script>alert(1)</script>' }],
);
for my $row (@faults) {
    my ($name, $status, $tag, $fault, $site) = @$row;
    $site ||= $SITE;
    subtest "token endpoint: $name" => sub {
        ok wait_until(sub { browser($site)->start('/inside') }), 'metadata and keys are there';
        my $realm = realm($site)->set(faults => { token => $fault })->forget;
        my $before = hits($site);
        my $browser = browser($site);
        my $back = $browser->authorize($browser->start('/inside'));
        my $response = $browser->get($back);
        like $response->status, qr/^(?:$status)$/, $status or diag $response->text;
        like $response->tag, qr/^(?:$tag)$/, 'the tag of the reason';
        unlike $response->body, qr/<script>/, 'nothing of its answer is shown raw';
        like $response->header('Retry-After') // '', qr/^\d+$/, 'Retry-After' if $response->status == 503;
        # A provider that is slow reads what it was asked when nobody waits for it any more.
        ok wait_until(sub { fetched($site, 'token') }), 'asked';
        is fetched($site, 'token'), 1, 'once';
        $realm->reset;
        # The code is spent for us, even if the realm never saw it: coming back does not send it again.
        $browser->get($back);
        is fetched($site, 'token'), 1, 'and never again with this code';
        no_session_ok($response, $browser, $site, $before);
    };
}
is fetched('redirected', undef), 0, '154 no redirect of the token endpoint is followed';

# ---- 158: odd members of a good answer

my @odd = (
    ['token_type mac',       'KC0308', { set => { token_type => 'mac' } }],
    ['token_type N_A',       'KC0308', { set => { token_type => 'N_A' } }],
    ['token_type missing',   'KC0(?:207|308)', { delete => ['token_type'] }],
    ['token_type a number',  'KC0(?:207|308)', { set => { token_type => 1 } }],
    ['id_token missing',     'KC0308', { delete => ['id_token'] }],
    ['id_token null',        'KC0(?:207|308)', { set => { id_token => undef } }],
    ['id_token a number',    'KC0(?:207|308)', { set => { id_token => 1 } }],
    ['id_token an object',   'KC0(?:207|308)', { set => { id_token => {} } }],
    ['access_token missing', 'KC0(?:207|308)', { delete => ['access_token'] }],
    ['access_token with CRLF', 'KC\d{4}', { set => { access_token => "a\r\nX: y" } }, 'userinfo-on'],
);
for my $row (@odd) {
    my ($name, $tag, $change, $site) = @$row;
    refused_ok "158 $name", $site || $SITE, change => { token_response => $change }, tag => $tag, status => [401, 503];
}
works_ok '158 token_type in lower case', $SITE, change => { token_response => { set => { token_type => 'bearer' } } };
for my $expires ('300', -5, 0, 1.5, 99999999999, undef) {
    works_ok '158 expires_in ' . ($expires // 'null') . ' does no harm', $SITE,
        change => { token_response => { set => { expires_in => $expires } } };
}
works_ok '158 expires_in and refresh_token missing', $SITE, change => { token_response => { delete => ['expires_in', 'refresh_token'] } };

# ---- the userinfo endpoint

my @userinfo = (
    ['a reset connection', { kind => 'drop' }], ['a black hole', { kind => 'hang' }, 'userinfo-waited-for'], ['a body without end', { kind => 'endless' }],
    ['500', { kind => 'status', status => 500 }], ['401', { kind => 'status', status => 401 }], ['HTML with 200', { kind => 'html' }],
    ['a redirect', { kind => 'redirect', location => "$ENV{KC_PROVIDER}/realms/redirected/userinfo" }],
    ['an array', { kind => 'body', body => '[]' }], ['a signed answer', { kind => 'body', type => 'application/jwt', body => 'a.b.c' }],
);
for my $row (@userinfo) {
    my ($name, $fault, $site) = @$row;
    $site ||= 'userinfo-on';
    ok wait_until(sub { browser($site)->start('/inside') }), 'metadata and keys are there';
    refused_ok "userinfo: $name", $site, change => { faults => { userinfo => $fault } }, tag => 'KC0(?:20\d|310)', status => [401, 503];
}
is fetched('redirected', undef), 0, '154 nor a redirect of the userinfo endpoint';

works_ok 'and the sound realm still works', $SITE;

done_testing;
