# SPDX-License-Identifier: Apache-2.0
# threats.md B: every fault of an ID token is found.
use strict;
use warnings;
use Test::More;
use JSON::PP ();
use Keycloak::Expect;
use Keycloak::World;

# A sound token first, and last: a site that refuses everything would pass all else.
works_ok '36-61 a sound token is accepted', 'idtoken';
works_ok '47 a sound ES256 token is accepted', 'es256';
works_ok '39 PS256 is accepted by default', 'ps256', change => { id_token => { alg => 'PS256' } };

my $small = { certs => { with => ['small'] } };
my $client = 'app';

# number and name, tag, change to the ID token, [change to the realm, site]
my @rows = (
    ['36 alg none, without signature', 'KC040[13]', { header => { alg => 'none' }, alg => 'none' }],
    ['36 alg none, with a signature',  'KC0403', { header => { alg => 'none' } }],
    ['36 alg NONE',                    'KC040[13]', { header => { alg => 'NONE' }, alg => 'none' }],
    ['36 alg nOnE',                    'KC040[13]', { header => { alg => 'nOnE' }, alg => 'none' }],
    ['36 alg absent',                  'KC040[123]', { header_delete => ['alg'] }],
    ['36 alg empty',                   'KC040[123]', { header => { alg => '' } }],
    ['36 alg a number',                'KC040[123]', { header => { alg => 256 } }],
    ['36 RS256 named, signature empty', 'KC040[15]', { alg => 'none', header => { alg => 'RS256' } }],
    ['37 HS256 with the RSA public key in PEM', 'KC0403', { key => 'rsa_public_pem', alg => 'HS256' }],
    ['37 HS256 with the RSA public key as JWK', 'KC0403', { key => 'rsa_public_jwk', alg => 'HS256' }],
    ['37 HS256 with the client secret', 'KC0403', { key => 'client_secret', alg => 'HS256' }],
    ['37 HS512 with the client secret', 'KC0403', { key => 'client_secret', alg => 'HS512' }],
    ['38 ES256 named on an RSA key',   'KC040[3456]', { header => { alg => 'ES256' } }],
    ['38 ES256 signed, kid of the RSA key', 'KC040[45]',
        { key => 'ec', alg => 'ES256', header => { kid => 'idtoken-1' } }],
    ['38 RS256 named on an EC key',    'KC040[345]', { header => { alg => 'RS256' } }, {}, 'es256'],
    ['39 an algorithm outside the allowed list', 'KC0403', { alg => 'PS256' }, {}, 'rs256-only'],
    ['39 an unknown algorithm',        'KC0403', { header => { alg => 'RS1' } }],
    ['39 alg in lower case',           'KC0403', { header => { alg => 'rs256' } }],
    ['40 signed by the jwk of its header', 'KC0405', { key => 'other', header => { jwk => { kty => 'RSA', n => 'AQAB', e => 'AQAB' } } }],
    ['41 crit',                        'KC0402', { header => { crit => ['exp'], exp => 1 } }],
    ['41 crit empty',                  'KC0402', { header => { crit => [] } }],
    ['42 b64 false',                   'KC0402', { header => { b64 => JSON::PP::false(), crit => ['b64'] } }],
    ['42 b64 false without crit',      'KC0402', { header => { b64 => JSON::PP::false() } }],
    ['43 alg twice in the header',     'KC040[12]', { header_append => '"alg":"RS256"' }],
    ['43 kid twice in the header',     'KC040[12]', { header_append => '"kid":"other"' }],
    ['43 sub twice',                   'KC0401', { append => '"sub":"somebody-else"' }],
    ['43 aud twice, the last right',   'KC0401', { set => { aud => 'other' }, append => qq("aud":"$client") }],
    ['43 the same member spelled by an escape', 'KC0401', { append => '"s\u0075b":"somebody-else"' }],
    ['43 a member twice, deep inside', 'KC0401', { append => '"deep":{"a":1,"a":2}' }],
    ['44 padded header',               'KC0401', { spelling => { header => 'padded' } }],
    ['44 padded payload',              'KC0401', { spelling => { payload => 'padded' } }],
    ['44 padded signature',            'KC0401', { shape => 'padded_signature' }],
    ['44 unused bits set in the header', 'KC0401', { spelling => { header => 'last_bit' } }],
    ['44 unused bits set in the payload', 'KC0401', { spelling => { payload => 'last_bit' } }],
    ['44 unused bits set in the signature', 'KC0401', { shape => 'noncanonical_signature' }],
    ['44 a space in the payload',      'KC0(?:308|401)', { spelling => { payload => 'space' } }],
    ['44 a line feed after the payload', 'KC0(?:308|401)', { spelling => { payload => 'newline' } }],
    ['44 a line feed at the end',      'KC0(?:308|401)', { shape => 'newline_at_end' }],
    ['44 plain base64 alphabet',       'KC0401', { shape => 'standard_alphabet', set => { x => "\x{3f}\x{3e}" x 30 } }],
    ['45 two segments',                'KC0401', { shape => 'two_segments' }],
    ['45 four segments',               'KC0401', { shape => 'four_segments' }],
    ['45 five segments',               'KC040[12]', { shape => 'five_segments' }],
    ['45 empty header',                'KC0401', { shape => 'empty_header' }],
    ['45 empty payload',               'KC040[15]', { shape => 'empty_payload' }],
    ['45 empty signature',             'KC040[15]', { shape => 'no_signature' }],
    ['45 only dots',                   'KC0401', { shape => 'only_dots' }],
    ['46 over 128 KiB',                'KC0424', { set => { filler => 'x' x 100_000 } }],
    ['47 ES256 with r = s = 0',        'KC0405', { shape => 'zero_signature' }, {}, 'es256'],
    ['47 ES256 in DER form',           'KC040[15]', { shape => 'der_signature' }, {}, 'es256'],
    ['47 ES256 with a flipped bit',    'KC0405', { shape => 'flipped_signature' }, {}, 'es256'],
    ['48 an RSA key under 2048 bits',  'KC040[45]', { key => 'small' }, $small, 'small-key'],
    ['49 iss in other case',           'KC0406', { set => { iss => uc "$ENV{KC_PROVIDER}/realms/idtoken" } }],
    ['49 iss with a slash more',       'KC0406', { set => { iss => '{issuer}/' } }],
    ['49 iss is a prefix',             'KC0406', { set => { iss => "$ENV{KC_PROVIDER}/realms/idtoke" } }],
    ['49 iss is longer',               'KC0406', { set => { iss => '{issuer}x' } }],
    ['49 iss of another realm',        'KC0406', { set => { iss => "$ENV{KC_PROVIDER}/realms/plain" } }],
    ['49 iss missing',                 'KC0406', { delete => ['iss'] }],
    ['49 iss an array',                'KC0406', { set => { iss => ['{issuer}'] } }],
    ['49 iss empty',                   'KC0406', { set => { iss => '' } }],
    ['50 aud empty',                   'KC0407', { set => { aud => '' } }],
    ['50 aud an empty array',          'KC0407', { set => { aud => [] } }],
    ['50 aud foreign',                 'KC0407', { set => { aud => 'other' } }],
    ['50 aud missing',                 'KC0407', { delete => ['aud'] }],
    ['50 aud an object',               'KC0407', { set => { aud => { $client => 1 } } }],
    ['50 aud with a number among them', 'KC0407', { set => { aud => [$client, 7] } }],
    ['50 aud in other case',           'KC0407', { set => { aud => uc $client } }],
    ['50 aud several, azp foreign',    'KC0407', { set => { aud => [$client, 'other'], azp => 'other' } }],
    ['50 azp a number',                'KC0407', { set => { azp => 7 } }],
    ['51 exp missing',                 'KC0408', { delete => ['exp'] }],
    ['51 exp a string',                'KC0408', { set => { exp => '4102444800' } }],
    ['51 exp 1e300',                   'KC040[18]', { delete => ['exp'], append => '"exp":1e300' }],
    ['51 exp 1e999',                   'KC040[18]', { delete => ['exp'], append => '"exp":1e999' }],
    ['51 exp beyond 64 bits',          'KC040[18]', { delete => ['exp'], append => '"exp":99999999999999999999' }],
    ['51 exp negative',                'KC0408', { set => { exp => -1 } }],
    ['51 exp null',                    'KC0408', { set => { exp => undef } }],
    ['51 exp passed',                  'KC0408', { offset => { exp => -60, iat => -300 } }],
    ['52 iat missing',                 'KC0408', { delete => ['iat'] }],
    ['52 iat beyond the leeway',       'KC0408', { offset => { iat => 120 } }],
    ['52 iat a string',                'KC0408', { set => { iat => '1' } }],
    ['52 nbf beyond the leeway',       'KC0408', { offset => { nbf => 120 } }],
    ['52 nbf a string',                'KC0408', { set => { nbf => '0' } }],
    ['53 sub missing',                 'KC0409', { delete => ['sub'] }],
    ['53 sub empty',                   'KC0409', { set => { sub => '' } }],
    ['53 sub oversized',               'KC0409', { set => { sub => 'x' x 300 } }],
    ['53 sub with a line feed',        'KC0409', { set => { sub => "a\nb" } }],
    ['53 sub with ESC',                'KC0409', { set => { sub => "a\e[31mb" } }],
    ['53 sub with NUL',                'KC04(?:01|09)', { delete => ['sub'], append => '"sub":"a\u0000b"' }],
    ['53 sub a number',                'KC0409', { set => { sub => 17 } }],
    ['54 nonce missing',               'KC0410', { delete => ['nonce'] }],
    ['54 nonce an array',              'KC0410', { nonce_of => 'array' }],
    ['54 nonce of another sign-in',    'KC0410', { nonce_of => 'other' }],
    ['54 nonce cut',                   'KC0410', { nonce_of => 'prefix' }],
    ['54 nonce empty',                 'KC0410', { set => { nonce => '' } }],
    ['55 an encrypted token',          'KC040[12]', { shape => 'encrypted' }],
    ['61 Keycloak\'s refresh token',   'KC0411', { set => { typ => 'Refresh' } }],
    ['61 Keycloak\'s offline token',   'KC0411', { set => { typ => 'Offline' } }],
    ['61 Keycloak\'s logout token',    'KC0411', { set => { typ => 'Logout' } }],
    ['61 Keycloak\'s access token',    'KC0411', { set => { typ => 'Bearer' } }],
    ['61 a header that says at+jwt',   'KC0411', { header => { typ => 'at+jwt' } }],
    ['61 a header that says logout+jwt', 'KC0411', { header => { typ => 'logout+jwt' } }],
    ['61 a token with events',         'KC0411',
        { set => { events => { 'http://schemas.openid.net/event/backchannel-logout' => {} } } }],
    ['signature flipped',              'KC0405', { shape => 'flipped_signature' }],
    ['payload flipped',                'KC040[15]', { shape => 'flipped_payload' }],
    ['signature cut',                  'KC040[15]', { shape => 'truncated_signature' }],
    ['signed with another key',        'KC0405', { key => 'other' }],
    ['payload is an array',            'KC040[1-9]', { payload => '[1]' }],
    ['payload is no JSON',             'KC0401', { payload => 'hello' }],
    ['payload with trailing text',     'KC0401', { payload => '{} x' }],
    ['payload nested over 32',         'KC0401', { append => '"deep":' . '[' x 40 . ']' x 40 }],
    ['payload with half a surrogate',  'KC0401', { append => '"bad":"\udc80"' }],
);

for my $row (@rows) {
    my ($name, $tag, $id_token, $realm, $site) = @$row;
    refused_ok $name, $site || 'idtoken', change => { id_token => $id_token, %{ $realm || {} } }, tag => $tag;
}


# The user's own data, which are claims too.
my @users = (
    ['no e-mail',                    'KC0413', { email => undef }],
    ['e-mail empty',                 'KC0413', { email => '' }],
    ['e-mail with a line feed',      'KC0414', { email => "alice\@example.com\r\nX: y" }],
    ['e-mail with a space before',   'KC0414', { email => ' alice@example.com' }],
    ['e-mail oversized',             'KC0414', { email => 'x' x 300 . '@example.com' }],
    ['e-mail an object',             'KC041[34]', { email => { a => 1 } }],
    ['e-mail not verified',          'KC0415', { email_verified => JSON::PP::false() }],
    ['e-mail not verified, by a string', 'KC0415', { email_verified => 'false' }],
    ['e-mail verified by a number',  'KC0415', { email_verified => 1 }],
    ['e-mail not said to be verified', 'KC0415', { email_verified => undef }],
);
refused_ok "user: $_->[0]", 'accounts', change => { user => $_->[2] }, tag => $_->[1] for @users;

works_ok 'user: e-mail verified by the string "true", as some providers write it', 'accounts',
    change => { user => { email_verified => 'true' } };

works_ok 'leeway: a token that has just expired, on a clock that is slow', 'idtoken',
    change => { id_token => { offset => { exp => -5, iat => -60 } } };
works_ok 'leeway: iat and nbf a little ahead', 'idtoken', change => { id_token => { offset => { iat => 10, nbf => 10 } } };
works_ok 'aud an array with others and the right azp', 'idtoken',
    change => { id_token => { set => { aud => [$client, 'other'] } } };
works_ok "RFC 7519: $_->[0]", 'idtoken', change => { id_token => $_->[1] } for (
    ['times with fractions', { set => { exp => time + 300.5, iat => time - 0.75, nbf => time - 1.5, auth_time => time - 9.25 } }],
    ['times with an exponent', { delete => ['auth_time'], append => '"auth_time":1.7e9' }],
    ['optional members that are null', { set => { map { $_ => undef } qw(azp nbf auth_time acr sid at_hash typ) } }],
    ['header members that are null', { header => { map { $_ => undef } qw(typ cty x5c jku) } }],
);
works_ok "40 $_->[0] in the header is not looked at", 'idtoken', change => { id_token => { header => { @$_ } } } for (
    [jwk => { kty => 'RSA', n => 'AQAB', e => 'AQAB' }], [jku => '{origin}/realms/evil/certs'],
    [x5u => '{origin}/realms/evil/x5u'], [x5c => ['MIIB']],
);
works_ok "errata 2: $_->[0]", 'idtoken', change => { id_token => $_->[1] } for (
    ['several audiences without azp', { set => { aud => [$client, 'other'] }, delete => ['azp'] }],
    ['azp of another where aud has nobody else', { set => { azp => 'other' } }],
);
works_ok 'unknown header members and claims do no harm', 'idtoken',
    change => { id_token => { header => { extra => 1 }, set => { extra => { a => [1, 2] } } } };
subtest '40 no address that a token names is ever asked' => sub {
    is scalar(realm('evil')->log), 0, 'nobody came';
};
works_ok 'a sound token is still accepted', 'idtoken';

# The realm's own session would lead to the same page again.
for my $row (['no e-mail', { email => undef }, 'KC0413'], ['not verified', { email_verified => JSON::PP::false() }, 'KC0415'], ['odd characters', { email => "a\tb\@example.com" }, 'KC0414'],
    ['too large a token', { groups => [map { sprintf 'team-%026d', $_ } 1 .. 4000] }, 'KC0424'])
{
    my ($name, $user, $tag) = @$row;
    subtest "an account that is refused is not the end: $name" => sub {
        my $site = 'logout';
        realm($site)->set(user => $user);
        my $browser = browser($site);
        my $page = $browser->sign_in('/');
        is $page->tag, $tag, 'refused';
        my ($href) = $page->text =~ m{<a href="([^"]*)">Sign in as another user</a>};
        ok $href, 'and told how to go on' or return;
        my $answer = $browser->get($href, 'Sec-Fetch-Site' => 'same-origin');
        like $answer->header('Location') // '', qr{/protocol/openid-connect/logout\?client_id=}, 'by the end of the session at the realm';
        my $back = $browser->back_from_logout(scalar query_of($answer->header('Location')));
        realm($site)->reset;
        my ($path) = $back->header('Location') =~ m{^\Q@{[$browser->origin]}\E(/authservice/login\?.*)};
        ok $path, 'to the sign-in' or return;
        is $browser->get($browser->authorize($browser->get($path)->header('Location')))->status, 303, 'of somebody else';
        ok $browser->seen, 'who is in';
    };
}

done_testing;
