# SPDX-License-Identifier: Apache-2.0
# threats.md H: identity headers have the module's values, whatever a client sends.
use strict;
use warnings;
use Test::More;
use JSON::PP ();
use Keycloak::Expect;
use Keycloak::World;

my $SITE = 'headers';
my $EVIL = 'mallory@example.com';
my $in = signed_in($SITE) or die 'cannot sign in' . "\n";

# The backend saw alice once under this name's every spelling, and mallory nowhere.
sub alice_ok {
    my ($seen, $name) = @_;
    return subtest $name => sub {
        is identity($seen), 'alice@example.com', 'kubeflow-userid is alice, once';
        unlike JSON::PP::encode_json($seen->{headers} || []), qr/mallory/, 'what the client said is gone';
    };
}

# Nobody's name reaches the backend.
sub nobody_ok {
    my ($response, $name) = @_;
    my $seen = $response->json || {};
    return subtest $name => sub {
        is scalar(headers_named($seen, 'kubeflow-userid')), 0, 'no kubeflow-userid';
        is scalar(headers_named($seen, 'kubeflow-groups')), 0, 'no kubeflow-groups';
        unlike JSON::PP::encode_json($seen->{headers} || []), qr/mallory/, 'nothing of what the client said';
    };
}

subtest 'the configured headers arrive once' => sub {
    my $seen = $in->seen('/x');
    is join('|', headers_named($seen, 'kubeflow-groups')), 'team-a,team-b/lead', 'kubeflow-groups';
    is join('|', headers_named($seen, 'X-Name')), 'Alice Example', 'KeycloakHeader of a text';
    is join('|', headers_named($seen, 'X-Roles')), 'user,offline_access', 'KeycloakHeader of a list';
};

my @spellings = (
    (map { ["111 $_", $_] } 'kubeflow-userid', 'Kubeflow-UserID', 'KUBEFLOW-USERID', 'kUbEfLoW-uSeRiD'),
    (map { ["112 $_", $_] } 'kubeflow_userid', 'Kubeflow_UserID', 'kubeflow.userid', 'KUBEFLOW.USERID', 'kubeflowuserid', 'kubeflow--userid',
        'kubeflow-userid-', '-kubeflow-userid', 'kubeflow~userid', 'kubeflow!userid', 'kubeflow|userid', 'kube-flow-user-id', 'kubeflow*userid',
        "kubeflow'userid", 'kubeflow`userid', 'kubeflow#userid', 'kubeflow%userid', 'kubeflow^userid', 'kubeflow+userid', 'kubeflow&userid',
        'kubeflow$userid'),
);
for my $row (@spellings) {
    my ($name, $header) = @$row;
    alice_ok $in->seen('/x', $header => $EVIL), $name;
}
alice_ok $in->seen('/x', map { ('kubeflow-userid' => "$EVIL", 'Kubeflow_Userid' => $EVIL) } 1 .. 20), '111 repeated forty times';

subtest '111, 112 the other headers of ours' => sub {
    my $seen = $in->seen('/x', map { ($_ => $EVIL) } qw(kubeflow-groups Kubeflow_Groups X-Name x_name X.Roles x-roles));
    is join('|', headers_named($seen, 'kubeflow-groups')), 'team-a,team-b/lead', 'kubeflow-groups';
    is join('|', headers_named($seen, 'X-Name')), 'Alice Example', 'X-Name';
    unlike JSON::PP::encode_json($seen->{headers}), qr/mallory/, 'what the client said is gone';
};

subtest '112 digits tell names apart' => sub {
    my $seen = $in->seen('/x', map { ($_ => $EVIL) } qw(X-Level-2 x_level2 X-Level-3 X-Level));
    is join('|', headers_named($seen, 'X-Level-2')), '1', 'that of ours says what we say';
    is join('|', headers_named($seen, $_)), $EVIL, "$_ is the client's own" for qw(X-Level-3 X-Level);
};

subtest 'a claim that is missing leaves no header for the client to fill' => sub {
    realm($SITE)->set(user => { name => undef, groups => [] });
    my $browser = signed_in($SITE) or return fail 'signing in';
    realm($SITE)->reset;
    my $seen = $browser->seen('/x', 'X-Name' => $EVIL, 'kubeflow-groups' => 'admins');
    is join('|', grep { length } headers_named($seen, 'X-Name')), '', 'X-Name is empty';
    is join('|', grep { length } headers_named($seen, 'kubeflow-groups')), '', 'kubeflow-groups is empty';
};

# ---- 113

my @said = ('kubeflow-userid' => $EVIL, 'Kubeflow_Groups' => "$EVIL", 'X_Name' => $EVIL);
my $out = browser($SITE);
my $public = $out->get('/public/x', @said);
ok $public->from_backend, '113 a public path needs no sign-in';
nobody_ok $public, '113 and gives nobody a name';
subtest '113 a public path with a session' => sub {
    my $seen = $in->seen('/public/x', @said);
    like identity($seen), qr/^(?:alice\@example\.com|not one)$/, 'alice or nobody';
    unlike JSON::PP::encode_json($seen->{headers}), qr/mallory/, 'what the client said is gone';
};
nobody_ok $out->request('OPTIONS', '/public/x', headers => \@said), '113 OPTIONS on a public path';
alice_ok $in->request('OPTIONS', '/x', headers => \@said)->json || {}, '113 OPTIONS, signed in';
is $out->request('OPTIONS', '/x', headers => \@said)->status, 401, '113 OPTIONS without a session: 401';
is $out->request('OPTIONS', '*', headers => \@said)->from_backend, 0, '113 OPTIONS * is not the backend\'s';

subtest '113 error documents' => sub {
    my $response = $in->get('/local/nothing', @said);
    is $response->status, 404, 'a page that is missing here';
    alice_ok $response->json || {}, 'its error document sees alice';
    alice_ok $in->get('/status/404', @said)->json || {}, 'and so does the one for the backend\'s 404';
    my $denied = $in->get('/denied', @said);
    # httpd takes the status of a proxied error document for it here.
    like $denied->status, qr/^(?:200|403)$/, 'a page that is denied';
    alice_ok $denied->json || {}, 'its error document sees alice';
    for my $path ('/local/nothing', '/status/404', '/denied', '/public/status/404', '/public/../denied') {
        nobody_ok $out->get($path, @said), "without a session: $path";
    }
};

subtest '113 subrequests' => sub {
    my $response = $in->get('/local/page.shtml', @said);
    my ($inside) = $response->body =~ /inside=\[(\{.*\})\]/s;
    like $response->body, qr/^user=\[alice\@example\.com\]/m, 'REMOTE_USER' or diag $response->text;
    like $response->body, qr/^email=\[alice\@example\.com\]/m, 'KEYCLOAK_EMAIL';
    alice_ok eval { JSON::PP::decode_json($inside) } || {}, 'the included request sees alice';
    my $before = hits($SITE);
    is $out->get('/local/page.shtml', @said)->status, 302, 'without a session: the sign-in';
    is hits($SITE), $before, 'and the backend is not reached';
};

subtest '113 internal redirects' => sub {
    alice_ok $in->get('/old/x', @said)->json || {}, 'rewritten to another path';
    alice_ok $in->get('/proxied/x', @said)->json || {}, 'rewritten to the backend';
    my $before = hits($SITE);
    is $out->get($_, @said)->status, 302, "without a session: $_" for qw(/old/x /proxied/x);
    is hits($SITE), $before, 'and the backend is not reached';
};

subtest 'a CGI program sees identity, not the session' => sub {
    my $body = $in->get('/local/env.cgi', @said, Cookie => $in->cookie_header . '; theme=dark')->body;
    like $body, qr/^REMOTE_USER=alice\@example\.com$/m, 'REMOTE_USER' or diag $body;
    like $body, qr/^AUTH_TYPE=Keycloak$/mi, 'AUTH_TYPE';
    like $body, qr/^KEYCLOAK_SUB=5b0a2c1e-/m, 'KEYCLOAK_SUB';
    like $body, qr/^KEYCLOAK_ISS=\Q$ENV{KC_PROVIDER}\E\/realms\/headers$/m, 'KEYCLOAK_ISS';
    like $body, qr/^KEYCLOAK_SID=./m, 'KEYCLOAK_SID';
    like $body, qr/^KEYCLOAK_EMAIL=alice\@example\.com$/m, 'KEYCLOAK_EMAIL';
    like $body, qr/^HTTP_KUBEFLOW_USERID=alice\@example\.com$/m, 'the header';
    unlike $body, qr/mallory|keycloak_session/, 'nothing of what the client said, and no session cookie';
};

subtest 'and nothing of what the realm does not say' => sub {
    realm('renamed')->set(user => { email => undef }, id_token => { delete => ['sid'] }, access_token => { delete => ['sid'] },
        token_response => { delete => ['session_state'] }, callback => { delete => ['session_state'] });
    my $browser = signed_in('renamed') or return fail 'signing in';
    realm('renamed')->reset;
    my $body = $browser->get('/local/env.cgi', 'Keycloak-Email' => $EVIL, 'Keycloak_Sid' => $EVIL)->body;
    like $body, qr/^KEYCLOAK_SUB=5b0a2c1e-/m, 'KEYCLOAK_SUB';
    unlike $body, qr/^KEYCLOAK_(?:SID|EMAIL)=/m, 'no KEYCLOAK_SID, no KEYCLOAK_EMAIL' or diag $body;
    unlike $body, qr/^HTTP_X_REMOTE_\w+=.*mallory/m, 'nor what the client says';
};

# ---- 114, 115

subtest 'more groups than a header has room for' => sub {
    my @groups = map { sprintf 'department-%02d/team-%04d', $_ % 97, $_ } 0 .. 999;
    realm($SITE)->set(user => { groups => [map { "/$_" } @groups] });
    my $mark = log_mark();
    my $browser = signed_in($SITE) or return fail 'signing in';
    my ($header) = headers_named($browser->seen('/x'), 'kubeflow-groups');
    cmp_ok length $header, '<=', 8000, 'is of the size that it may have';
    is $header, join(',', @groups[0 .. 332]), 'and has whole groups, in the order of the token';
    like log_since($mark), qr/KC0425: groups-left-out: the header kubeflow-groups of sub \S+ lacks 667 of 1000 groups/, 'the log says so';
    realm($SITE)->reset;
};

for my $connection ('kubeflow-userid', 'Kubeflow-UserID, close', 'close, kubeflow-userid, kubeflow-groups, x-name', 'keep-alive,kubeflow-userid',
    'close,,, KUBEFLOW-USERID ,,', 'close;kubeflow-userid', 'close kubeflow-userid;kubeflow-groups x-name', "close,\tkubeflow-userid",
    'close, "kubeflow-userid", x;X-Name') {
    my $seen = $in->seen('/x', Connection => $connection =~ /close/ ? $connection : "$connection, close");
    alice_ok $seen || {}, "114 Connection: $connection";
    is join('|', headers_named($seen || {}, 'X-Name')), 'Alice Example', '114 and the others';
}
for my $connection ('kubeflow-userid', 'kubeflow-userid, X-Name', 'Cookie', '"kubeflow-groups"', '', ',') {
    my $response = $in->raw("GET /x HTTP/1.0\r\nHost: $SITE.test:$ENV{KC_PORT}\r\nAccept: text/html\r\nCookie: " . $in->cookie_header
        . "\r\nConnection: $connection\r\n\r\n");
    alice_ok $response->json || {}, "114 Connection that names nothing else: '$connection'";
}
subtest '114 in several Connection lines' => sub {
    my $response = $in->raw("GET /x HTTP/1.1\r\nHost: $SITE.test\r\nAccept: text/html\r\nCookie: " . $in->cookie_header
        . "\r\nConnection: close\r\nConnection: kubeflow-userid\r\nConnection: X-Name\r\n\r\n");
    is identity($response->json || {}), 'alice@example.com', 'identity still arrives';
};
subtest '115 Connection naming Cookie, Authorization, X-Forwarded-*' => sub {
    my $seen = $in->seen('/x', Connection => 'close, Cookie, Authorization, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto',
        Cookie => $in->cookie_header . '; theme=dark', Authorization => 'Bearer own', 'X-Forwarded-Proto' => 'http');
    is identity($seen), 'alice@example.com', 'the session still counts';
    like join('|', headers_named($seen, 'Cookie')), qr/^(?:backend=seen; )?theme=dark$/, 'other cookies still arrive';
    is join('|', headers_named($seen, 'Authorization')), 'Bearer own', 'Authorization too';
    is scalar(headers_named($seen, 'X-Forwarded-Host')), 1, 'and X-Forwarded-Host';
};

# ---- 116, 117

my $head = sub { "GET $_[0] HTTP/1.1\r\nHost: $SITE.test:$ENV{KC_PORT}\r\nAccept: text/html\r\nConnection: close\r\nCookie: " . $in->cookie_header . "\r\n" };
my %malformed = (
    'a space before the colon' => "kubeflow-userid : $EVIL\r\n",
    'a tab before the colon'   => "kubeflow-userid\t: $EVIL\r\n",
    'NUL in the name'          => "kubeflow\0-userid: $EVIL\r\n",
    'NUL in the value'         => "X-A: a\0b\r\n",
    'a bare CR in the value'   => "X-A: a\rkubeflow-userid: $EVIL\r\n",
    'a bare LF in the value'   => "X-A: a\nkubeflow-userid: $EVIL\r\n",
    'a line without a name'    => ": $EVIL\r\n",
    'a line without a colon'   => "kubeflow-userid $EVIL\r\n",
);
for my $what (sort keys %malformed) {
    subtest "116 $what" => sub {
        my $before = hits($SITE);
        my $response = $in->raw($head->('/x') . $malformed{$what} . "\r\n");
        if ($what =~ /bare LF/ && $response->from_backend) {
            alice_ok $response->json, 'a header line of its own, removed';
        } else {
            is $response->status, 400, 'status 400';
            is hits($SITE), $before, 'the backend is not reached';
        }
    };
}
subtest '116 a folded line does not carry a name past us' => sub {
    my $response = $in->raw($head->('/x') . "X-A: a\r\n kubeflow-userid: $EVIL\r\n\r\n");
    ok $response->status == 400 || identity($response->json || {}) eq 'alice@example.com', 'refused, or one header';
};
subtest '117 trailers' => sub {
    my $response = $in->raw("POST /x HTTP/1.1\r\nHost: $SITE.test:$ENV{KC_PORT}\r\nConnection: close\r\nCookie: " . $in->cookie_header
        . "\r\nTransfer-Encoding: chunked\r\nTrailer: kubeflow-userid\r\n\r\n5\r\nhello\r\n0\r\nkubeflow-userid: $EVIL\r\nKubeflow_Userid: $EVIL\r\n\r\n");
    is $response->status, 200, 'the request passes' or diag $response->text;
    is identity($response->json || {}), 'alice@example.com', 'as alice';
    unlike $response->body, qr/mallory/, 'and nothing of the trailers arrives';
};

# ---- 118

subtest '118 claims with control characters and more' => sub {
    realm($SITE)->set(user => {
        name => "Alice\r\nkubeflow-userid: $EVIL", groups => ['/good', "/bad\r\nX-Evil: 1", '/with,comma', "/esc\e[1m", "/last"],
        realm_access => { roles => ["role\nX-Evil: 1", 'plain', 'a,b'] },
    });
    my $mark = log_mark();
    my $browser = signed_in($SITE) or return fail 'signing in';
    my $seen = $browser->seen('/x');
    is identity($seen), 'alice@example.com', 'the identity is whole';
    is join('|', headers_named($seen, 'kubeflow-groups')), 'good,last', 'odd groups are left out';
    is join('|', headers_named($seen, 'X-Name')) =~ s/^$//r, '', 'an odd name is left out';
    like log_since($mark), qr/\[auth_keycloak:warn\].*KC0608: \d+ groups, roles or claims of alice\@example\.com .*left out/, 'the log says so';
    is scalar(headers_named($seen, 'X-Evil')), 0, 'no header of their making';
    unlike JSON::PP::encode_json($seen->{headers}), qr/mallory/, 'at all';
    realm($SITE)->reset;
};
subtest '118 non-ASCII claims' => sub {
    realm($SITE)->set(user => { name => "Zo\x{eb} \x{5f20}", groups => ["/\x{e9}quipe"] });
    my $browser = signed_in($SITE) or return fail 'signing in';
    my $seen = $browser->seen('/x');
    is identity($seen), 'alice@example.com', 'signed in';
    my ($name) = headers_named($seen, 'X-Name');
    ok !defined $name || $name eq '' || $name eq "Zo\xc3\xab \xe5\xbc\xa0", 'as UTF-8 or not at all' or diag $name;
    realm($SITE)->reset;
};
refused_ok '118 a user name with a line feed', $SITE, change => { user => { email => "alice\@example.com\nX-Evil: 1" } }, tag => 'KC0414';

# ---- 122

subtest '122 X-Forwarded-* of an untrusted peer' => sub {
    my $response = browser('plain')->get('/x', 'X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => 'evil.example.com', 'X-Forwarded-Port' => 443);
    is query_of($response->header('Location'))->{redirect_uri}, "http://plain.test:$ENV{KC_PORT}/authservice/oidc/callback", 'ignored';
    unlike join("\n", $response->all('Set-Cookie')), qr/Secure|__Host-/, 'also for the cookies';
};
subtest '122 X-Forwarded-* of a trusted peer' => sub {
    my $response = browser('trusting')->get('/x', 'X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => 'kubeflow.example.com');
    is query_of($response->header('Location'))->{redirect_uri}, 'https://kubeflow.example.com/authservice/oidc/callback', 'believed';
    like join("\n", $response->all('Set-Cookie')), qr/^__Host-keycloak_login_.*Secure/, 'also for the cookies';
    my $list = browser('trusting')->get('/x', 'X-Forwarded-Proto' => 'http, https', 'X-Forwarded-Host' => 'evil.example.com, kubeflow.example.com');
    is query_of($list->header('Location'))->{redirect_uri}, 'https://kubeflow.example.com/authservice/oidc/callback', 'of several values its own, the last';
    for my $host ("evil.example.com/path", 'a b', 'user@evil.example.com', 'evil.example.com#', "evil.example.com\\x", 'evil.example.com?x') {
        my $odd = browser('trusting')->get('/x', 'X-Forwarded-Host' => $host);
        # A trusted peer may name any host, but nothing else by it.
        like query_of($odd->header('Location'))->{redirect_uri} // '', qr{^https?://[a-z0-9.:-]+/authservice/oidc/callback$},
            "a Host that is none: $host";
    }
};

# ---- other names and transformations

subtest 'KeycloakUserHeader, KeycloakGroupsHeader, KeycloakGroupsClaim, KeycloakUserClaim, KeycloakUserPrefix' => sub {
    my $browser = signed_in('renamed') or return fail 'signing in';
    my $seen = $browser->seen('/x', 'X_Remote_User' => $EVIL, 'X-Remote-Groups' => $EVIL, 'kubeflow-userid' => $EVIL);
    is join('|', headers_named($seen, 'X-Remote-User')), 'kc:alice', 'the user';
    is join('|', headers_named($seen, 'X-Remote-Groups')), 'user,offline_access', 'the groups';
};
subtest 'KeycloakUserTransform with an expression' => sub {
    my $browser = signed_in('transform') or return fail 'signing in';
    is identity($browser->seen), 'alice', 'the part before the at sign';
};
subtest 'KeycloakUserTransform lower, KeycloakVerifiedEmail off' => sub {
    realm('lower')->set(user => { email => 'Alice@Example.COM', email_verified => JSON::PP::false() });
    my $browser = signed_in('lower') or return fail 'signing in';
    is identity($browser->seen), 'alice@example.com', 'in lower case';
};

done_testing;
