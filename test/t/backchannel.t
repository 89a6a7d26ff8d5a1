# SPDX-License-Identifier: Apache-2.0
# threats.md A 27-34, L 160-166: the provider reports ended sessions, directly or through the browser.
use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP ();
use Test::More;
use Keycloak::Expect;
use Keycloak::World;

my $SITE = 'told';
my $PATH = '/authservice/backchannel-logout';
my $FORM = 'application/x-www-form-urlencoded';
my $AUDIENCE = realm($SITE)->_call('GET', '')->{client}{id};
my $EVENT = 'http://schemas.openid.net/event/backchannel-logout';

# A person with a browser, and the sid of their session.
sub person {
    my ($site, $name) = @_;
    realm($site)->set(user => { sub => "sub-of-$name", email => "$name\@example.com" });
    # Not by the front door: KeycloakUnauth 401 shows no way to the provider.
    my $browser = browser($site);
    my $back = $browser->authorize($browser->get('/authservice/login')->header('Location')) // die "no sign-in at $site\n";
    $browser->get($back)->status == 303 or die "cannot sign in at $site\n";
    my $answer = (realm($site)->log('token'))[-1]{answer};
    return ($browser, $answer->{session_state}, $answer);
}

sub is_in { my $response = shift->get('/x'); return $response->from_backend ? 1 : $response->status == 401 ? 0 : $response->status }

# What the provider sends: a form from nobody's browser.
sub inform {
    my ($site, $body, %headers) = @_;
    return browser($site)->post($PATH, $body, %{ { 'Content-Type' => $FORM, Accept => '*/*', %headers } });
}

sub token { my ($site, %change) = @_; return realm($site)->logout_token(%change) }

sub taken_ok {
    my ($response, $name) = @_;
    return subtest $name => sub {
        is $response->status, 200, 'answered with 200' or diag $response->text;
        is $response->body, '', 'an empty body';
        like $response->header('Cache-Control') // '', qr/\bno-store\b/, 'no-store';
        is scalar($response->all('Set-Cookie')), 0, 'no cookie';
    };
}

# refused with 400, the JSON of section 2.8, and a line at warning that has this text.
sub refused_with {
    my ($name, $response, $mark, $detail) = @_;
    return subtest $name => sub {
        is $response->status, 400, 'refused with 400' or diag $response->text;
        my $json = $response->json || {};
        is $json->{error}, 'invalid_request', 'invalid_request';
        ok length($json->{error_description} // ''), 'with a description';
        like $response->header('Cache-Control') // '', qr/\bno-store\b/, 'no-store';
        like $response->header('Content-Type') // '', qr{^application/json\b}, 'JSON';
        my ($line) = grep { /:warn\b/ && /\Q$PATH\E/ } split /\n/, log_since($mark);
        like $line // '', qr/$detail/, 'the log says why';
    };
}

my ($alice, $sid, $tokens) = person($SITE, 'alice');
is is_in($alice), 1, 'alice is in';

# ---- what is refused

my %wrong = (
    '28 alg none' => [{ alg => 'none' }, 'KC0417.*token-form'],
    '28 alg none, with something for a signature' => [{ alg => 'none', shape => 'zero_signature' }, 'KC0417.*none'],
    '29 no events' => [{ delete => ['events'] }, 'events'],
    '30 a nonce' => [{ set => { nonce => 'n' } }, 'nonce'],
    '30 a nonce of another type' => [{ set => { nonce => 7 } }, 'nonce'],
    '31 HS256 under the client\'s secret' => [{ alg => 'HS256', key => 'client_secret' }, 'HS256'],
    '31 HS256 under the public key' => [{ alg => 'HS256', key => 'rsa_public_pem' }, 'HS256'],
    '31 another\'s signature' => [{ key => 'other' }, 'token-signature'],
    '31 a flipped signature' => [{ shape => 'flipped_signature' }, 'token-signature'],
    '32 another audience' => [{ set => { aud => 'other' } }, 'token-audience'],
    '32 no audience' => [{ delete => ['aud'] }, 'token-audience'],
    '33 another event' => [{ set => { events => { 'http://schemas.openid.net/secevent/risc' => {} } } }, 'events'],
    '33 an event that is no object' => [{ set => { events => { $EVENT => 1 } } }, 'events'],
    '34 another issuer' => [{ set => { iss => 'https://elsewhere.example.com' } }, 'token-issuer'],
    '61 typ ID' => [{ set => { typ => 'ID' } }, 'typ is ID'],
    '61 typ Refresh' => [{ set => { typ => 'Refresh' } }, 'typ is Refresh'],
    '161 no iat' => [{ delete => ['iat'] }, 'iat'],
    '161 no jti' => [{ delete => ['jti'] }, 'jti'],
    '161 exp of another type' => [{ set => { exp => 'soon' } }, 'exp'],
    '161 three minutes old, without exp' => [{ offset => { iat => -180 }, delete => ['exp'] }, 'iat'],
    '161 of the future, without exp' => [{ offset => { iat => 60 }, delete => ['exp'] }, 'future'],
    '161 neither sub nor sid' => [{ delete => ['sub'] }, 'sub and sid'],
    '161 three minutes old' => [{ offset => { iat => -180, exp => 600 } }, 'iat'],
    '161 over' => [{ offset => { iat => -100, exp => -40 } }, 'exp'],
    '161 of the future' => [{ offset => { iat => 60, exp => 180 } }, 'future'],
    'a member twice' => [{ append => '"sub":"x"' }, 'token-form'],
    'crit' => [{ header => { crit => ['b64'], b64 => JSON::PP::false() } }, 'token-header'],
    'an embedded key' => [{ header => { jwk => { kty => 'RSA' } } }, 'token-header'],
);
for my $name (sort keys %wrong) {
    my ($change, $detail) = @{ $wrong{$name} };
    my $form = 'logout_token=' . escape(token($SITE, set => {}, %$change));
    my $mark = log_mark();
    refused_with $name, inform($SITE, $form), $mark, $detail;
}

subtest '162 other tokens of the provider' => sub {
    for my $name (qw(id_token access_token refresh_token)) {
        my $mark = log_mark();
        refused_with "the $name", inform($SITE, 'logout_token=' . $tokens->{$name}), $mark, 'KC0417';
    }
};

is is_in($alice), 1, 'alice is in after all of that';

# ---- requests that are malformed

my $good = 'logout_token=' . token($SITE, set => { sid => $sid });
my %malformed = (
    '165 no token' => [sub { inform($SITE, 'a=b') }, 'no logout_token'],
    '165 an empty body' => [sub { inform($SITE, '') }, 'no body'],
    '165 the token twice' => [sub { inform($SITE, "$good&$good") }, 'more than once'],
    '165 1 MiB' => [sub { inform($SITE, "$good&x=" . 'x' x (1 << 20)) }, 'over 65536 bytes'],
    '165 just over the limit' => [sub { inform($SITE, "$good&x=" . 'x' x (65537 - length("$good&x="))) }, 'over 65536 bytes'],
    '165 JSON' => [sub { inform($SITE, '{}', 'Content-Type' => 'application/json') }, 'no form'],
    '165 no content type' => [sub { inform($SITE, $good, 'Content-Type' => undef) }, 'no form'],
    '165 two content types' => [sub { browser($SITE)->post($PATH, $good, 'Content-Type' => $FORM, 'Content-Type' => 'text/plain') }, 'no form'],
    '165 a longer content type' => [sub { inform($SITE, $good, 'Content-Type' => "${FORM}x") }, 'no form'],
    '165 a NUL' => [sub { inform($SITE, "$good\0") }, 'NUL'],
    '165 a malformed escape' => [sub { inform($SITE, "$good%") }, 'escape'],
    '165 GET' => [sub { browser($SITE)->get("$PATH?$good") }, 'POST, not GET'],
    '165 PUT' => [sub { browser($SITE)->request('PUT', $PATH, body => $good, headers => ['Content-Type' => $FORM]) }, 'POST, not PUT'],
    '165 the token in the query' => [sub { browser($SITE)->post("$PATH?$good", 'a=b', 'Content-Type' => $FORM) }, 'no logout_token'],
);
for my $name (sort keys %malformed) {
    my ($send, $detail) = @{ $malformed{$name} };
    my $mark = log_mark();
    refused_with $name, $send->(), $mark, $detail;
}

# Sends octets, closes its half, and reads what comes.
sub half {
    my $octets = shift;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $ENV{KC_PORT}, Timeout => 20) or die "connect: $!\n";
    local $SIG{PIPE} = 'IGNORE';
    print $socket "POST $PATH HTTP/1.1\r\nHost: $SITE.test\r\nContent-Type: $FORM\r\nConnection: close\r\n$octets";
    $socket->flush;
    shutdown $socket, 1;
    local $/;
    return Keycloak::Response->new(scalar(<$socket>) // '');
}

sub chunks { return join('', map { sprintf "%x\r\n%s\r\n", length $_, $_ } @_) }

subtest '165 lengths that lie' => sub {
    my $long = length($good) + 100;
    my %lies = (
        'Content-Length over the body' => "Content-Length: $long\r\n\r\n$good",
        'chunks that do not end' => "Transfer-Encoding: chunked\r\n\r\n" . chunks($good),
        'a chunk that is cut' => "Transfer-Encoding: chunked\r\n\r\nfff\r\n$good",
        'a chunk without a length' => "Transfer-Encoding: chunked\r\n\r\nzz\r\n$good\r\n0\r\n\r\n",
        'chunks over the limit' => "Transfer-Encoding: chunked\r\n\r\n" . chunks("$good&x=", ('x' x 8192) x 20) . "0\r\n\r\n",
        'Content-Length of 4 GiB' => "Content-Length: 4294967296\r\n\r\n$good",
        'Content-Length that is negative' => "Content-Length: -1\r\n\r\n$good",
        'Content-Length twice' => "Content-Length: 1\r\nContent-Length: 2\r\n\r\n$good",
        'an unknown coding' => "Transfer-Encoding: gzip\r\n\r\n$good",
    );
    for my $name (sort keys %lies) {
        my $response = half($lies{$name});
        like $response->status, qr/^(?:400|413|501)$/, "$name: refused" or diag $response->text;
        is scalar(() = $response->text =~ m{^HTTP/1}mg), 1, 'by one answer' or diag $response->text;
    }
};
is is_in($alice), 1, 'alice is in after all of that too';

# ---- what is taken

# As Keycloak up to 22, RH-SSO and Ory tell it.
for my $case (['without exp, of a sid', { delete => ['exp'] }, 1], ['without exp, of a sub', { delete => ['exp'] }],
    ['of several audiences, without azp', { delete => ['exp'], set => { aud => [$AUDIENCE, 'another'] } }, 1])
{
    my ($name, $change, $has_sid) = @$case;
    subtest $name => sub {
        my ($carol, $carols) = person($SITE, 'carol');
        my $token = token($SITE, %$change, set => { %{ $change->{set} || {} }, sub => 'sub-of-carol', ($has_sid ? (sid => $carols) : ()) });
        taken_ok inform($SITE, 'logout_token=' . $token), 'taken';
        is is_in($carol), 0, 'and she is out';
        my $mark = log_mark();
        refused_with 'a second time', inform($SITE, 'logout_token=' . $token), $mark, 'KC0418';
    };
}

subtest '27 a token in chunks ends the session of its sid' => sub {
    my ($bob) = person($SITE, 'bob');
    my $mark = log_mark();
    taken_ok half("Transfer-Encoding: chunked\r\n\r\n" . chunks(substr($good, 0, 100), substr($good, 100)) . "0\r\n\r\n"), 'taken';
    is is_in($alice), 0, 'alice is out';
    is is_in($bob), 1, 'bob is in';
    like log_since($mark), qr/:info\b.*KC0605: signed out by the provider: a session of sub sub-of-alice/, 'the log says who';
    is $alice->api('/x')->tag, 'KC0109', 'and she is told';
};

subtest '160 replayed, it is refused' => sub {
    my $mark = log_mark();
    refused_with 'once more', inform($SITE, $good), $mark, 'KC0418';
    my ($again, $new) = person($SITE, 'alice');
    my $all = 'logout_token=' . token($SITE);
    taken_ok inform($SITE, $all), 'one for all of her sessions';
    is is_in($again), 0, 'is obeyed';
    my $later;
    ok wait_until(sub { ($later) = person($SITE, 'alice'); is_in($later) == 1 }), 'she signs in again';
    $mark = log_mark();
    refused_with 'replayed', inform($SITE, $all), $mark, 'KC0418';
    is is_in($later), 1, 'it ends nothing any more';
};

subtest '163 sub ends all sessions of the user, sid one' => sub {
    my ($first, $first_sid) = person($SITE, 'carol');
    my ($second) = person($SITE, 'carol');
    my ($dave) = person($SITE, 'dave');
    taken_ok inform($SITE, 'logout_token=' . token($SITE, set => { sub => 'sub-of-carol', sid => $first_sid })), 'one by sid';
    is is_in($first), 0, 'the first is out';
    is is_in($second), 1, 'the second in';
    ($first) = person($SITE, 'carol');
    is is_in($first), 1, 'and the first again';
    taken_ok inform($SITE, 'logout_token=' . token($SITE, set => { sub => 'sub-of-carol' })), 'one by sub';
    is is_in($first), 0, 'the first is out';
    is is_in($second), 0, 'the second too';
    is is_in($dave), 1, 'dave is in';
    taken_ok inform($SITE, 'logout_token=' . token($SITE, delete => ['sub', 'typ'], header_delete => ['typ'], set => { sid => 'of-nobody' })),
        'one of a session that nobody has';
};

subtest 'neither cookies nor a script\'s headers matter' => sub {
    my ($erin, $erins) = person($SITE, 'erin');
    taken_ok $erin->post($PATH, 'x=1&logout_token=' . token($SITE, set => { sid => $erins }) . '&y=2',
        'Content-Type' => "Application/x-www-form-urlencoded; charset=UTF-8", 'Sec-Fetch-Mode' => 'cors'), 'taken';
    is is_in($erin), 0, 'out';
};

subtest '166 out within a second where views are kept' => sub {
    my $site = 'told-later';
    my $browser = signed_in($site) or return fail 'signing in';
    is identity($browser->seen), 'alice@example.com', 'in';
    my $session = (realm($site)->log('token'))[-1]{answer}{session_state};
    taken_ok inform($site, 'logout_token=' . token($site, set => { sid => $session })), 'taken';
    ok true_after(1.1, sub { !$browser->get('/x')->from_backend }), 'out';
};

subtest 'a key that is not known yet is fetched' => sub {
    my ($fay, $fays) = person($SITE, 'fay');
    realm($SITE)->rotate;
    taken_ok inform($SITE, 'logout_token=' . token($SITE, set => { sid => $fays })), 'taken';
    is is_in($fay), 0, 'out';
};

subtest '164 the store is down: 503' => sub {
    my $response = inform('memcached-down', 'logout_token=' . token('memcached-down', set => { sid => 'a' }));
    is $response->status, 503, 'answered with 503' or diag $response->text;
    is +($response->json || {})->{error}, 'temporarily_unavailable', 'for now';
    like $response->header('Retry-After') // '', qr/^\d+$/, 'Retry-After';
    like $response->header('Cache-Control') // '', qr/\bno-store\b/, 'no-store';
    $response = inform('refused', 'logout_token=a.b.c');
    is $response->status, 503, 'the provider is down: 503 too' or diag $response->text;
};

# ---- through the browser

my $FRONT = '/authservice/frontchannel-logout';

sub front { my ($browser, $query, @headers) = @_; return $browser->get("$FRONT?$query", 'Sec-Fetch-Dest' => 'iframe', @headers) }

subtest 'front channel: the browser\'s own session ends' => sub {
    my ($browser, $own) = person('told-front', 'alice');
    my $iss = 'iss=' . escape("$ENV{KC_PROVIDER}/realms/told-front");
    my $cookie = $browser->cookie_header;
    for my $query ('', $iss, "sid=$own", "$iss&sid=", "$iss&sid=$own&sid=$own", "$iss&$iss&sid=$own", "iss=x&sid=$own", "$iss%2F&sid=$own") {
        is front($browser, $query)->status, 400, 'a query that is not whole is refused';
    }
    is $browser->post("$FRONT?$iss&sid=$own", '')->status, 405, 'POST is';
    my $other = front($browser, "$iss&sid=other");
    is $other->status, 200, 'another sid';
    is scalar($other->all('Set-Cookie')), 0, 'leaves the cookies';
    is front(browser('told-front'), "$iss&sid=$own")->status, 200, 'another browser';
    is is_in($browser), 1, 'she is still in';
    my $answer = front($browser, "$iss&sid=$own");
    is $answer->status, 200, 'her own';
    is $answer->header('Content-Security-Policy'), "default-src 'none'; frame-ancestors $ENV{KC_PROVIDER}", 'the provider may frame it';
    like $answer->header('Cache-Control') // '', qr/\bno-store\b/, 'no-store';
    like $answer->header('Content-Type') // '', qr{^text/html\b}, 'a page';
    is $browser->session, undef, 'the cookie is deleted';
    is browser('told-front')->get('/x', Cookie => $cookie)->status, 401, 'and counts no more';
    is front($browser, "$iss&sid=$own", Cookie => $cookie)->status, 200, 'once more is no error';
    is front(browser('memcached-down'), 'iss=' . escape("$ENV{KC_PROVIDER}/realms/memcached-down") . '&sid=a', Cookie => 'keycloak_session=' . 'A' x 43)->status,
        503, 'a store that is down is told';
};

subtest 'front channel without iss and sid, where that is let in' => sub {
    my $site = 'told-front-bare';
    for my $path ($FRONT, "$FRONT?", "$FRONT?state=x") {
        my ($browser) = person($site, 'alice');
        my ($other) = person($site, 'alice');
        my $cookie = $browser->cookie_header;
        is browser($site)->get($path)->status, 200, "$path: nobody";
        is front($browser, 'sid=x')->status, 400, 'half of both is refused';
        is is_in($browser), 1, 'still in';
        is $browser->get($path, 'Sec-Fetch-Dest' => 'iframe')->status, 200, 'her own ends';
        is $browser->session, undef, 'the cookie is deleted';
        is browser($site)->get('/x', Cookie => $cookie)->status, 401, 'and counts no more';
        is is_in($other), 1, 'another session of hers goes on';
    }
};

subtest 'no token in any log' => sub {
    for my $log (qw(error_log access_log)) {
        unlike error_log($log), qr/logout_token=|eyJ[A-Za-z0-9_-]{20}/, $log;
    }
};

# ---- the provider signs in by a session that has been ended

# Keycloak keeps a session alive that somebody signs in with while it is being ended. Whoever comes back with such a
# session would be refused as long as it lasts, so it is ended by its own tokens.
for my $row (['by its sid', sub { { set => { sid => 'ended' } } }], ['by the user', sub { { delete => ['sid'] } }]) {
    my ($what, $change) = @$row;
    subtest "a sign-in by a session that has been ended, $what: its tokens are revoked" => sub {
        realm($SITE)->set(user => { sub => 'sub-of-carol', email => 'carol@example.com' }, id_token => { set => { sid => 'ended' } });
        my $browser = browser($SITE);
        my $back = $browser->authorize($browser->get('/authservice/login')->header('Location'));
        taken_ok inform($SITE, 'logout_token=' . token($SITE, %{ $change->() })), 'ended';
        my $before = realm($SITE)->log('revoke');
        my $response = $browser->get($back);
        is $response->status, 503, 'refused' or diag $response->text;
        is $response->tag, 'KC0113', 'with the reason';
        ok !$browser->session, 'no session';
        my @revoked = realm($SITE)->log('revoke');
        is scalar @revoked, $before + 1, 'one token is revoked';
        is Keycloak::Realm::param($revoked[-1], 'token'), (realm($SITE)->log('token'))[-1]{answer}{refresh_token}, 'the one that came';
        realm($SITE)->set(id_token => {});
    };
}

done_testing;
