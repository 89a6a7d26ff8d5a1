# SPDX-License-Identifier: Apache-2.0
# threats.md 201, 202: the module's names do not cross borders: between virtual hosts of a process, those where it is off
# too, and between clients and backends.
use strict;
use warnings;
use Test::More;
use JSON::PP ();
use Keycloak::Expect;
use Keycloak::World;

my $EVIL = 'mallory@example.com';
my $in = signed_in('borders') or die "cannot sign in\n";

sub path { my ($path, @lines) = @_; return "$path?" . join '&', map { 'h=' . escape($_) } @lines }
sub said { return JSON::PP::encode_json((shift->json || {})->{headers} || []) }

# ---- 201: headers

my @names = qw(kubeflow-userid Kubeflow_UserID kubeflow.groups X-Name x_roles X-Remote-User X_Remote_Groups x.id.token X-Given-Name);
for my $row (['a virtual host without KeycloakIssuer', browser('bare'), '/x'], ['one with it', $in, '/x'], ['a public path', browser('borders'), '/public/x']) {
    my ($where, $browser, $path) = @$row;
    for my $method (qw(GET POST OPTIONS)) {
        subtest "201 $where, $method: identity headers of all servers" => sub {
            my $response = $browser->request($method, $path, headers => [(map { ($_ => $EVIL) } @names), 'X-Other' => 'mine', Authorization => 'Basic bWU6bWU=']);
            ok $response->from_backend, 'the backend is reached' or diag $response->text;
            unlike said($response), qr/mallory/, 'what the client says of itself is gone';
            my $seen = $response->json || {};
            is join('|', headers_named($seen, 'X-Other')), 'mine', 'other headers stay';
            is join('|', headers_named($seen, 'Authorization')), 'Basic bWU6bWU=', 'Authorization is the client\'s own';
        };
    }
}
subtest '201 error documents' => sub {
    for my $path ('/status/404', '/local/nothing') {
        my $response = browser('bare')->get($path, map { ($_ => $EVIL) } @names);
        ok $response->from_backend, "$path: the error document comes from the backend" or diag $response->text;
        unlike said($response), qr/mallory/, 'and hears nothing';
    }
};
subtest '201 trailers' => sub {
    my $response = browser('bare')->raw("POST /x HTTP/1.1\r\nHost: bare.test:$ENV{KC_PORT}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
        . "Trailer: kubeflow-userid\r\n\r\n5\r\nhello\r\n0\r\nkubeflow-userid: $EVIL\r\n\r\n");
    ok $response->from_backend, 'the backend is reached' or diag $response->text;
    unlike $response->body, qr/mallory/, 'nothing of them arrives';
};
subtest '201 Connection' => sub {
    my $response = browser('bare')->get('/x', Connection => 'close, kubeflow-userid, X-Other', 'X-Other' => 'hop');
    unlike said($response), qr/hop/, 'other headers go as Connection says';
    ok $response->from_backend, 'and the request arrives';
};
subtest '201 a CGI program of a virtual host without KeycloakIssuer' => sub {
    my $body = browser('bare')->get('/local/env.cgi', (map { ($_ => $EVIL) } @names), Cookie => 'borders_session=secret; theme=dark')->body;
    like $body, qr/^HTTP_COOKIE=theme=dark$/m, 'sees what is its own' or diag $body;
    unlike $body, qr/mallory|secret/, 'and nothing else';
};

for my $row (['a virtual host without KeycloakIssuer', browser('bare')], ['one with it', $in]) {
    my ($where, $browser) = @$row;
    my %jar = %{ $browser->jar };
    my $raw = sub {
        %{ $browser->jar } = %jar;    # what comes through a tunnel is taken for an answer here
        return $browser->raw(join "\r\n", "GET /any/interim/101 HTTP/1.1", "Host: $browser->{host}:$ENV{KC_PORT}", 'Connection: Upgrade',
            "Upgrade: $_[0]", 'Cookie: ' . ($browser->cookie_header || 'a=b'), '', '');
    };
    for my $upgrade ('h2c', 'H2C', 'h2', "h2c,\th2", 'h2c/1') {
        subtest "201 $where: Upgrade: $upgrade" => sub {
            my $response = $raw->($upgrade);
            unlike $response->text, qr{^HTTP/1\.1 101|tunnelled}m, 'no tunnel opens that nobody looks into' or diag $response->text;
            unlike join('|', map { lc } headers_named($response->json || {}, 'Upgrade')), qr/h2/, 'nor is the backend asked for one';
        };
    }
    subtest "201 $where: Upgrade: websocket" => sub {
        my $text = $raw->('websocket')->text;
        like $text, qr{^HTTP/1\.1 101}, 'is switched';
        like $text, qr{\r\n\r\nHTTP/1\.1 103 Tunnelled\r\nSet-Cookie: borders_session=tunnelled\r\n\r\n}, 'and nobody touches what goes through the tunnel';
    };
    %{ $browser->jar } = %jar;
}

# ---- 202: cookies on the way in

my @ours = map { my $name = $_; ($name, "__Host-$name") } qw(keycloak_session merged_session addresses_session borders_session keycloak_login_abc
    keycloak_rounds keycloak_logout);
push @ours, '__Secure-keycloak_session';
for my $row (['a virtual host without KeycloakIssuer', browser('bare'), '/x'], ['another one with it', signed_in('plain'), '/x'],
    ['a public path', browser('borders'), '/public/x'], ['an error document', browser('bare'), '/status/404']) {
    my ($where, $browser, $path) = @$row;
    subtest "202 cookies of all servers do not reach the backend of $where" => sub {
        my $own = $browser->cookie_header;
        for my $name (@ours) {
            next if $own =~ /(?:^|; )\Q$name\E=/;    # twice is a session of nobody's
            my $response = $browser->get($path, Cookie => join '; ', 'theme=dark', $own || (), "$name=a-secret", 'lang=en');
            ok $response->from_backend, "$name: the backend is reached" or diag $response->text;
            like said($response), qr/theme=dark; .*lang=en|theme=dark; lang=en/, 'with the other cookies';
            unlike said($response), qr/a-secret/, 'without that one';
        }
    };
}
subtest '202 no cookie is left' => sub {
    my $seen = browser('bare')->get('/x', Cookie => join '; ', map { "$_=a-secret" } @ours)->json || {};
    is scalar(headers_named($seen, 'Cookie')), 0, 'no Cookie header';
};

# ---- 202: cookies on the way out

my @planted = map { ["a cookie named $_", "$_=planted; Path=/"] } @ours;
push @planted,
    ['a name in another case', 'BORDERS_session=planted'], ['__host- in another case', '__host-borders_session=planted; Secure; Path=/'],
    ['blanks around the name', " \tborders_session \t= planted"], ['a nameless cookie', '=borders_session=planted'],
    ['a nameless cookie with blanks', ' = borders_session=planted'], ['two equals signs', '==borders_session=planted'],
    ['an empty value', 'borders_session='], ['a deletion', 'borders_session=planted; Max-Age=0'], ['no value', 'borders_session'],
    ['a folded list', 'a=1; Path=/, borders_session=planted; Path=/'], ['a folded list without blanks', 'a=1,borders_session=planted'],
    ['a folded list behind a date', 'a=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT, borders_session=planted'],
    ['a name in quotes in a list', 'a="1, borders_session=planted"'], ['a narrower path', 'borders_session=planted; Path=/x'],
    ['a domain', 'borders_session=planted; Domain=test'];
my @kept = ('theme=dark; Path=/', 'borders_sessions=1', 'my_borders_session=1', 'a=borders_session', 'last=/x?borders_session=1; Path=/',
    'date=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT', 'keycloak=1', 'keycloak_logi=1', '__Host-other=1; Secure; Path=/');

sub untouched_ok {
    my ($browser, $path, $line, $name) = @_;
    my $before = $browser->cookie_header;
    my $response = $browser->get(path($path, 'Set-Cookie: theme=dark', "Set-Cookie: $line", 'Set-Cookie: lang=en'));
    ok $response->from_backend, "$name: the backend answers" or diag $response->text;
    is join('|', grep { !/^backend=seen/ } map { s/; Priority=High//r } $response->all('Set-Cookie')), 'theme=dark|lang=en', 'its other cookies arrive, in their order';
    delete $browser->jar->{$_} for qw(theme lang backend a);
    return;
}

for my $row (['signed in', $in, '/x'], ['a public path', browser('borders'), '/public/x'], ['a virtual host without KeycloakIssuer', browser('bare'), '/x'],
    ['an error', $in, '/status/500/x'], ['a 304', $in, '/status/304/x'], ['a redirect', $in, '/status/302/x']) {
    my ($where, $browser, $path) = @$row;
    subtest "202 a backend sets no cookie of ours: $where" => sub {
        untouched_ok($browser, $path, $_->[1], $_->[0]) for @planted;
        my $response = $browser->get(path($path, map { "Set-Cookie: $_" } @kept));
        is join('|', grep { !/^backend=seen/ } map { s/; Priority=High//r } $response->all('Set-Cookie')), join('|', @kept), 'what is like ours but is not stays';
    };
}
subtest '202 Set-Cookie2, and any spelling of the header' => sub {
    my $response = $in->get(path('/x', 'Set-Cookie2: borders_session=planted; Version=1', 'SET-COOKIE: borders_session=planted', 'set-cookie: theme=dark'));
    unlike join('|', map { @$_ } @{ $response->{headers} }), qr/planted/, 'gone';
    is scalar(grep { /theme=dark/ } $response->all('Set-Cookie')), 1, 'the other one stays';
};
subtest '202 a CGI program, with any status' => sub {
    for my $status (200, 302, 404, 500) {
        my $response = browser('borders')->get("/local/cookies.cgi?$status");
        unlike $response->text =~ s/"target".*//sr, qr/borders_session=planted/, "status $status: ours is gone" or diag $response->text;
    }
    like join('|', browser('borders')->get('/local/cookies.cgi?200')->all('Set-Cookie')), qr/theme=dark/, 'the other one stays';
};
for my $row (['signed in', $in], ['a stranger', browser('borders')], ['a virtual host without KeycloakIssuer', browser('bare')]) {
    my ($where, $browser) = @$row;
    subtest "202 a CGI program that writes the whole answer: $where" => sub {
        for my $query ('', 'open', '') {
            my $text = $browser->raw("GET /local/nph-cookies.cgi?$query HTTP/1.1\r\nHost: $browser->{host}:$ENV{KC_PORT}\r\nConnection: close\r\n"
                . 'Cookie: ' . ($browser->cookie_header || 'a=b') . "\r\n\r\n")->text;
            my ($head, $body) = split /\r\n\r\n/, $text, 2;
            like $head, qr{^HTTP/1\.1 200 Mine\r\n.*^Set-Cookie: theme=dark}ms, 'its answer arrives, with the other cookie' or diag $text;
            unlike $head, qr/planted|Clear-Site/, 'without what is ours';
            is $body // '', $query ? '' : "Set-Cookie: borders_session=of-the-page\r\n\r\nhello\n", 'and the page is what it was';
        }
    };
}
subtest '202 a backend does not clear the cookies' => sub {
    for my $path ('/x', '/status/404/x') {
        my $response = $in->get(path($path, 'Clear-Site-Data: "cookies"', 'Clear-Site-Data: "cache"', 'clear-site-data: "*"'));
        is join('|', $response->all('Clear-Site-Data')), '"cache"|"cache", "storage", "executionContexts"', "$path: what it does not stays";
    }
    is identity($in->seen), 'alice@example.com', 'the session is there';
};
subtest '202 a program whose error page is protected' => sub {
    my $browser = browser('borders');
    my $response = $browser->get('/local/cookies.cgi?404');
    ok !$response->from_backend, 'a stranger does not get it' or diag $response->text;
    unlike join('|', $response->all('Set-Cookie')), qr/planted/, 'nor the cookie, beside those of the sign-in';
};
for my $row (['signed in', $in], ['a virtual host without KeycloakIssuer', browser('bare')]) {
    my ($where, $browser) = @$row;
    for my $status (101, 102, 103) {
        subtest "202 nor by an interim answer: $where, $status" => sub {
            my @upgrade = (Connection => $status == 101 ? 'Upgrade' : 'Upgrade, close', Upgrade => 'websocket');
            my %jar = %{ $browser->jar };
            my $ask = sub {
                %{ $browser->jar } = %jar;
                my $response = $browser->get(path("/any/interim/$status", @_), @upgrade);
                my ($head, $rest) = split /\r\n\r\n/, $response->text, 2;
                like $head, qr{^HTTP/1\.1 $status }, 'it arrives' or diag $response->text;
                like $rest, $status == 101 ? qr/Tunnelled/ : qr{^HTTP/1\.1 200 }, 'and what comes next';
                return $head;
            };
            my $mark = log_mark();
            for my $line (map { $_->[1] } @planted) {
                my $head = $ask->('Link: </a>; rel=preload', "Set-Cookie: $line", 'Set-Cookie: theme=dark', "set-cookie2: $line");
                unlike $head, qr/session|planted|keycloak/i, "not $line";
                like $head, qr/^Link: .*^Set-Cookie: theme=dark\r?$/ms, 'the rest stays';
            }
            like log_since($mark), qr/KC0120.*interim/, 'the log says so';
            my $head = $ask->('X-Long: ' . 'x' x 3000, 'X-More: ' . 'y' x 3500, 'Set-Cookie: borders_session=planted');
            unlike $head, qr/planted/, 'not behind long lines';
            like $head, qr/x{3000}.*y{3500}/s, 'which stay';
            $head = $ask->(map { "Set-Cookie: $_" } @kept);
            is join('|', $head =~ /^Set-Cookie: ([^\r\n]*)/mg), join('|', @kept), 'what is like ours but is not stays';
            %{ $browser->jar } = %jar;
        };
    }
}
subtest '202 an interim answer on a connection that has had others' => sub {
    my $ask = "GET /any/%s?h=Set-Cookie:+borders_session%%3Dplanted HTTP/1.1\r\nHost: bare.test:$ENV{KC_PORT}\r\nUpgrade: websocket\r\nConnection: Upgrade%s\r\n\r\n";
    my $text = browser('bare')->raw(join '', map { sprintf $ask, @$_ } ['x', ''], ['interim/103', ''], ['status/404', ''], ['interim/103', ', close'])->text;
    is scalar(() = $text =~ m{HTTP/1\.1 103 Interim}g), 2, 'arrives each time' or diag $text;
    unlike $text, qr/^Set-Cookie: [^\r\n]*planted/m, 'without our cookie';
};
subtest '202 over HTTP/2' => sub {
    my $secure = signed_in('secure', tls => 1) or return fail 'signing in';
    open my $pipe, '-|', 'curl', '-sSi', '--http2', '--max-time', 20, '--cacert', "$ENV{KC_ROOM}/ca.pem", '--resolve',
        "secure.test:$ENV{KC_HTTPS_PORT}:127.0.0.1", '-b', $secure->cookie_header,
        $secure->origin . path('/x', 'Set-Cookie: __Host-keycloak_session=planted; Secure; Path=/', 'Set-Cookie: theme=dark') or die "curl: $!";
    my $text = do { local $/; <$pipe> };
    close $pipe;
    like $text, qr{^HTTP/2 200}, 'an answer' or diag $text;
    like $text, qr/^set-cookie: theme=dark/mi, 'with the other cookie';
    unlike $text, qr/^set-cookie: [^\r\n]*keycloak_session/mi, 'and not with ours';
};
subtest '202 the log says so, once for an answer, and shows no value' => sub {
    my $mark = log_mark();
    $in->get(path('/x', 'Set-Cookie: borders_session=planted-1', 'Set-Cookie: borders_session=planted-2'));
    my @lines = grep { /KC0120/ } split /\n/, log_since($mark);
    is scalar(@lines), 1, 'one line' or diag @lines;
    unlike $lines[0] // '', qr/planted/, 'without the value';
};

# ---- what is ours stays ours

subtest 'the module\'s own cookies survive, and what an administrator adds to them' => sub {
    my $browser = browser('borders');
    my $start = $browser->get('/authservice/login');
    like join('|', $start->all('Set-Cookie')), qr/keycloak_login_.*; Priority=High/, 'of a sign-in';
    my $back = $browser->get($browser->authorize($start->header('Location')));
    like join('|', $back->all('Set-Cookie')), qr/borders_session=[^|]*; Priority=High/, 'of a session';
    is identity($browser->seen), 'alice@example.com', 'which counts';
    my $out = $browser->get('/authservice/logout');
    like join('|', $out->all('Set-Cookie')), qr/borders_session=;[^|]*; Priority=High/, 'of a sign-out' or diag $out->text;
};
is identity($in->seen), 'alice@example.com', 'whatever was tried, the session is as it was';

done_testing;
