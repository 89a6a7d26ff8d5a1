# SPDX-License-Identifier: Apache-2.0
# External authorization as a gateway uses it: threats.md H 111-122, I 124-131 with nothing but method, path and headers.
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::World;

use constant { SITE => 'judge', HTML => 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8' };

my $browser = signed_in(SITE) || BAIL_OUT('nobody can sign in');
my @own = (Cookie => $browser->cookie_header);

# All values of a header in an answer.
sub values_of { my ($answer, $name) = @_; return [$answer->all($name)] }

sub allowed_ok {
    my ($name, $answer, $user) = @_;
    subtest $name => sub {
        is $answer->status, 200, 'allowed';
        is_deeply values_of($answer, 'kubeflow-userid'), [$user], 'the user, once';
        is scalar @{ values_of($answer, 'kubeflow-groups') }, 1, 'the groups, once';
        is scalar @{ values_of($answer, 'X-Name') }, 1, 'a further header, once';
        is $answer->body, '', 'no body';
        is $answer->header('Cache-Control'), 'no-store', 'that nobody keeps';
    };
    return;
}

# Names as a client may spell them with another separator, which some backends take for the same (H 112).
my $spellings = join ',', map { my $name = $_; map { $name =~ s/-/$_/gr } split //, q(_.!#$%&'*+^`|~) } qw(kubeflow-userid kubeflow-groups X-Name);

subtest 'a sign-in by way of the gateway' => sub {
    my $visitor = browser(SITE);
    my $start = $visitor->get('/pipeline/?a=b');
    is $start->status, 302, 'a page leads to the realm';
    my $back = $visitor->authorize($start->header('Location'));
    my $answer = $visitor->get($back);
    is $answer->status, 303, 'and back';
    is $answer->led_to, '/pipeline/?a=b', 'to the page';
    allowed_ok 'then', $visitor->get('/pipeline/?a=b'), 'alice@example.com';
    is $visitor->api('/x', Cookie => undef)->status, 401, 'a script without a session: 401';
};

for my $method (qw(GET HEAD POST PUT PATCH DELETE OPTIONS PROPFIND MKCOL REPORT QUERY)) {
    my $answer = $browser->request($method, '/kfam/v1', headers => [@own, 'Content-Length' => 0]);
    allowed_ok "$method is judged like any other", $answer, 'alice@example.com';
    is browser(SITE)->request($method, '/kfam/v1', headers => [Accept => 'application/json'])->status, 401, "$method without a session";
}

allowed_ok 'a range is of a body that is not here', $browser->get('/kfam/v1', @own, Range => 'bytes=0-5'), 'alice@example.com';

subtest 'I 127 what httpd would answer itself' => sub {
    for my $line ('TRACE / HTTP/1.1', 'OPTIONS * HTTP/1.1', 'CONNECT x:1 HTTP/1.1', 'GET x HTTP/1.1', 'TRACE /x HTTP/1.1', 'GET /server-status HTTP/1.1') {
        my $answer = browser(SITE)->raw("$line\r\nHost: judge.test\r\nAccept: application/json\r\nkubeflow-userid: evil\@example.com\r\nConnection: close\r\n\r\n");
        isnt $answer->status, 200, "$line: no 200";
        unlike join(' ', $answer->all('kubeflow-userid')), qr/evil/, 'nor a forged name';
    }
};

my @forged = (
    ['H 111 the header itself',  'kubeflow-userid' => 'evil@example.com'],
    ['H 111 in other case',      'KUBEFLOW-UserID' => 'evil@example.com', 'Kubeflow-Userid' => 'eve@example.com'],
    ['H 112 other separators',   'kubeflow_userid' => 'evil@example.com', 'kubeflow.userid' => 'evil@example.com'],
    ['H 114 Connection',         'Connection'      => 'kubeflow-userid, close'],
    ['H 122 X-Forwarded-*',      'X-Forwarded-Uri' => '/public/x', 'X-Original-URL' => '/public/x', 'x-envoy-original-path' => '/public/x'],
);
for my $case (@forged) {
    my ($name, @headers) = @$case;
    allowed_ok "$name: overwritten", $browser->get('/x', @own, @headers), 'alice@example.com';
    allowed_ok "$name: empty on a public path", browser(SITE)->get('/public/x', @headers), '';
    my $answer = browser(SITE)->api('/x', @headers);
    is $answer->status, 401, "$name: refused without a session";
    is_deeply values_of($answer, 'kubeflow-userid'), [], 'and nobody is named';
}

subtest 'I public paths' => sub {
    for my $path ('/public/..;/x', '/public/%2e%2e/x', '/public/%252e%252e/x', '/public%2fx', '/public/..%2fx', '/public\\x', '//public/x', '/public//x', '/public/x;y',
        '/PUBLIC/x', '/publicX', '/x?/public/', '/public/%00', '/public/a%23b') {
        isnt browser(SITE)->get($path)->status, 200, "$path stays protected";
    }
    allowed_ok 'the plain spelling', browser(SITE)->get('/public/x'), '';
    allowed_ok 'also of who is signed in', $browser->get('/public/x', @own), '';
};

subtest 'a path is judged as the backend will read it, or refused' => sub {
    for my $path ('/admin/../x', '/admin/%2e%2e/x', '/admin/%2E%2E/x', '/x/./y', '/x//y', '//x', '/x/..', '/x/.', '/x\\y', '/x%5cy', '/x/..;/y', '/x%2f..%2fadmin/y', '/x%2F%2e%2e/admin',
        '/x%2f/y', '/x%2f.') {
        isnt $browser->get($path, @own)->status, 200, "$path is not allowed";
    }
    for my $path ('/x%2f/y', '/x/%2Fy', '/x%2f..%2Fadmin', '/x%2f.', '/x%2f%2f') {
        my $mark = log_mark();
        my $refused = $browser->get($path, @own);
        is $refused->status, 400, "$path: a slash to some backends";
        is $refused->tag, 'KC0119', 'the page has a tag';
        like log_since($mark), qr/KC0119: judge-path: /, 'and the log a line';
    }
    allowed_ok 'dots and escapes that mean nothing', $browser->get('/x/.well-known/a..b/c%20d/e%2ff?g=//../h', @own), 'alice@example.com';
    allowed_ok 'escapes that end like those of dots, backslashes and NULs', $browser->get('/x/%3e%3E/%4e/%3c%7C/%0a1/%20%30%50', @own), 'alice@example.com';
    for my $path ('/x/../authservice/backchannel-logout', '//authservice/sessions', '/authservice//sessions', '/authservice/%73essions', '/x/%2e%2e/authservice/sessions') {
        isnt browser(SITE)->request('POST', $path, headers => [Accept => 'application/json', 'Content-Length' => 0])->status, 200, "POST $path";
    }
};

my @odd = ('//', '//x', '/x//y', '/x/', '/x//', '/x\\y', '/x%5cy', '/x%5C..%5Cpublic', '/admin/../x', '/x/%2e%2e/y', '/x/./y', '/x/..;/y', '/x%2f..%2fadmin', '/x%2f%2fy',
    '/public//x', '//public/x', '/public%5Cx', '/public/..%5Cx', '/public/%2e%2e/x', '/public/..;/x', '//ping', '/ping%2f', '/x/..%2fping', '/x/../ping', '/./ready', '/ping//',
    '//authservice/sessions', '/authservice//sessions', '/x/../authservice/backchannel-logout', '//authservice/site/homepage', '/authservice%5Clogout', '//authservice/logout',
    '/x/../authservice/oidc/callback', '//x?y=//z', '/.');
subtest 'KeycloakJudgePaths any: other spellings are for who is signed in' => sub {
    my $in = signed_in('judge-any') or return fail 'signing in';
    my @mine = (Cookie => $in->cookie_header);
    for my $path (@odd) {
        for my $method (qw(GET POST OPTIONS)) {
            my $answer = $in->request($method, $path, headers => [@mine, 'Content-Length' => 0, 'kubeflow-userid' => 'evil@example.com']);
            is $answer->status, 200, "$method $path: alice" or diag $answer->text;
            is_deeply values_of($answer, 'kubeflow-userid'), ['alice@example.com'], 'by name';
            $answer = browser('judge-any')->request($method, $path, headers => [Accept => 'application/json', 'Content-Length' => 0, 'kubeflow-userid' => 'evil@example.com']);
            is $answer->status, 401, "$method $path: a stranger" or diag $answer->text;
            is_deeply values_of($answer, 'kubeflow-userid'), [], 'nobody is named';
        }
        is browser('judge-any')->get($path)->status, 302, "$path: a stranger's page";
    }
    isnt browser('judge-any')->raw("GET $_ HTTP/1.1\r\nHost: judge-any.test\r\nAccept: application/json\r\nConnection: close\r\n\r\n")->status, 200, $_
        for 'http://judge-any.test//public/x', 'http://judge-any.test/public/x', '*', 'x//y', '/public/%00//x', '//%00', '/x//%zz', '/..', '/%2e%2e/x';
    is browser('judge-any')->get('/ping')->status, 200, 'what is there for everybody is so in its plain spelling';
    is browser('judge-any')->get('/public/x')->status, 200, 'also what is public';
    is browser('judge-any')->get($_)->status, 401, "$_: and locations count" for qw(/script/x /script//x //script/x /y/../script/x /script/x%5Cy);
    my $visitor = browser('judge-any');
    my $answer = $visitor->get($visitor->authorize($visitor->get('//evil.example.com/x')->header('Location')));
    is $answer->status, 303, 'a sign-in that begins there';
    unlike $answer->header('Location'), qr{^(?:https?:)?//evil}, 'leads to no other host';
};

subtest 'KeycloakJudgePaths any changes nothing where nobody judges' => sub {
    my $in = signed_in('judge-none') or return fail 'signing in';
    for my $path (qw(/app/x /app//x //app/x /app/%5cx /x/../app/x /app/..;/y)) {
        my $answer = $in->request('GET', $path, headers => [Cookie => $in->cookie_header]);
        is $answer->status, 200, "$path is answered" or diag $answer->text;
        like $answer->text, qr{/app/}, 'by the backend of its location';
        unlike $answer->text, qr{/common/}, 'and not by that of /';
        is browser('judge-none')->get($path, Accept => 'application/json')->status, 401, 'for a stranger: 401';
    }
};

subtest 'roles guard parts' => sub {
    is $browser->get('/admin/x', @own)->status, 403, 'not met: 403';
    allowed_ok 'met', $browser->get('/user/x', @own), 'alice@example.com';
};

subtest '203 a judge that nobody guards never says 200' => sub {
    my %spare = (Accept => 'application/json');
    for my $case (['/free/x', 'GET'], ['/free', 'OPTIONS'], ['/untyped/x', 'GET'], ['/by-address/x', 'GET'], ['/either/x', 'GET'], ['/either/x', 'OPTIONS'],
        ['/limited/x', 'GET'], ['/limited/x', 'OPTIONS'], ['/satisfied/x', 'GET'], ['/if/x?open', 'GET'], ['/looked/x', 'GET'])
    {
        my ($path, $method) = @$case;
        for my $visitor (['a stranger', Cookie => undef], ['alice', @own]) {
            my ($who, @cookie) = @$visitor;
            my $mark = log_mark();
            my $answer = $browser->request($method, $path, headers => [@cookie, %spare]);
            is $answer->status, 500, "$method $path: 500 to $who" or diag $answer->text;
            is_deeply values_of($answer, 'kubeflow-userid'), [], 'nobody is named';
            like log_since($mark), qr/KC0003: configuration: SetHandler keycloak-judge in a location that is open to everybody/, 'and the log says why';
        }
    }
    isnt $browser->get('/if/x', Cookie => undef)->status, 500, 'what is asked beside it is judged';
    allowed_ok 'by KeycloakUnauth pass: a stranger', $browser->get('/pass/x', Cookie => undef), '';
    allowed_ok 'by KeycloakUnauth pass: alice', $browser->get('/pass/x', @own), 'alice@example.com';
    allowed_ok 'a public path that httpd leaves open as well', $browser->get('/public/free', Cookie => undef), '';
};

subtest 'an ErrorDocument on a public path turns no refusal into a permission' => sub {
    my $refused = $browser->get('/nobody/x', @own);
    is $refused->status, 403, 'Require all denied';
    is_deeply values_of($refused, 'kubeflow-userid'), [], 'and nobody is named';
    is browser(SITE)->get('/nobody/x')->status, 403, 'also without a session';
    is $browser->raw("GET /%zz HTTP/1.1\r\nHost: judge.test\r\nConnection: close\r\n\r\n")->status, 400, 'a malformed request';
};

subtest 'cookies' => sub {
    my $mine = $browser->get('/x', Cookie => $browser->cookie_header . '; XSRF-TOKEN=abc');
    is_deeply values_of($mine, 'Cookie'), ['XSRF-TOKEN=abc'], 'the backend keeps its own';
    unlike $mine->header('x-envoy-auth-headers-to-remove') // '', qr/cookie/, 'and the header stays';
    is_deeply values_of($browser->get('/public/x', Cookie => 'a=b; c=d'), 'Cookie'), [], 'what is none of ours is not touched';
    my $ours = $browser->get('/x', @own);
    is_deeply values_of($ours, 'Cookie'), [], 'none but ours';
    like $ours->header('x-envoy-auth-headers-to-remove'), qr/^\Q$spellings\E(?:,.*)?,cookie$/, 'is removed whole';
    like $browser->get('/public/x', Cookie => undef)->header('x-envoy-auth-headers-to-remove'), qr/^\Q$spellings\E(?:,(?!.*cookie).*)?$/,
        'there was none; the spellings that some backends take for ours go always';
};

subtest 'H 112 underscores in place of some hyphens' => sub {
    my @gone = split /,/, browser('judge-names')->get('/public/x')->header('x-envoy-auth-headers-to-remove') // '';
    is_deeply [grep { /^X[-_]Given[-_]Name$/ } @gone], [qw(X_Given-Name X-Given_Name X_Given_Name)], 'each spelling goes';
    my @long = grep { /^X[-_]1/ } @gone;
    is_deeply [scalar @long, $long[-1]], [63, 'X_1_2_3_4_5_6_7_8'], 'of long names as many as one can bear, and that of CGI';
};

subtest 'names without a separator have one spelling' => sub {
    my $answer = browser('judge-words')->get('/public/x');
    is $answer->status, 200, 'allowed';
    is_deeply values_of($answer, 'RemoteUser'), [''], 'the user, once';
    my $removals = sub { return [split /,/, shift->header('x-envoy-auth-headers-to-remove') // ''] };
    is_deeply [grep { /^remote.?user$|^cookie$/i } @{ $removals->($answer) }], [], 'nothing like it is to be removed';
    is_deeply [grep { /^remote.?user$|^cookie$/i } @{ $removals->(browser('judge-words')->get('/public/x', Cookie => 'keycloak_session=x')) }], ['cookie'],
        'but a cookie of ours';
};

# What is judged is what the client wrote, for that is what the gateway goes on to.
subtest 'an administrator\'s rewriting leads the judge nowhere else' => sub {
    is browser(SITE)->api($_)->status, 401, "$_ is not public for where it leads to" for qw(/moved/x /short);
    allowed_ok "$_ is a path like any other", $browser->get($_, @own), 'alice@example.com' for qw(/moved/x /short);
    is $browser->request('POST', '/short', headers => [@own, 'Content-Length' => 0])->header('Cookie'), undef, 'whose backend gets no cookie of ours';
};

# 201: a backend may be that of another virtual host, which takes for granted what that one sets.
subtest 'identity headers of other virtual hosts of the process' => sub {
    for my $path ('/x', '/public/x') {
        my $answer = $browser->get($path, @own);
        my %gone = map { $_ => 1 } split /,/, $answer->header('x-envoy-auth-headers-to-remove') // '';
        ok $gone{$_}, "$path: $_ goes" for qw(X-Remote-User X_Remote_User X.Remote.User X-Remote-Groups X-Given-Name X_Given-Name X-Roles);
        ok !$gone{$_}, "but not $_, which is set" for qw(kubeflow-userid kubeflow-groups X-Name Authorization);
    }
    my %gone = map { $_ => 1 } split /,/, browser('judge-names')->get('/public/x')->header('x-envoy-auth-headers-to-remove') // '';
    ok $gone{'X-Name'} && !$gone{'X-Given-Name'}, 'each judge has its own';
};

subtest 'our own pages are no permission' => sub {
    for my $path (qw(/authservice/whoami /authservice/sessions /authservice/logout)) {
        my @cross = $path =~ /logout/ ? ('Sec-Fetch-Site' => 'cross-site') : ();
        my $answer = $browser->get($path, @own, Accept => HTML, @cross);
        is $answer->status, 203, "$path is shown with a status that is not 200";
        isnt $answer->body, '', 'and its page';
    }
    for my $path (qw(/authservice/ /authservice/nothing /authservice/oidc/callback)) {
        isnt browser(SITE)->get($path)->status, 200, "$path";
    }
    is browser(SITE)->get('/authservice/frontchannel-logout')->status, 400, 'front channel without its parameters';
    for my $path (qw(backchannel-logout sessions)) {
        my $answer = browser(SITE)->request('POST', "/authservice/$path", headers => [Accept => 'application/json', 'Content-Length' => 0]);
        allowed_ok "POST $path goes on to where its body is read", $answer, '';
    }
    my $form = $browser->request('POST', '/authservice/sessions', headers => [@own, 'Content-Length' => 0]);
    is_deeply values_of($form, 'Cookie'), [], 'no other Cookie header';
    like $form->header('x-envoy-auth-headers-to-remove'), qr/^\Q$spellings\E(?:,(?!.*cookie).*)?$/,
        'with the cookie as it came, by which the session is found there';
};

subtest 'logout as the dashboards call it' => sub {
    my $visitor = signed_in(SITE);
    my $answer = $visitor->request('POST', '/authservice/logout',
        headers => [Cookie => $visitor->cookie_header, Accept => '*/*', Authorization => 'Bearer ', Origin => $visitor->origin, 'Content-Length' => 0]);
    is $answer->status, 201, '201';
    like eval { $answer->json->{afterLogoutURL} } // '', qr{/logout\?}, 'with the address';
    my $left = $visitor->get('/x');
    is $left->status, 302, 'and nobody is signed in';
    $visitor = signed_in(SITE);
    $answer = $visitor->request('POST', '/authservice/logout',
        headers => [Cookie => $visitor->cookie_header, Accept => undef, Authorization => 'Bearer ', 'Content-Length' => 0]);
    is $answer->status, 201, '201 also where a gateway hands on nothing but cookie and Authorization';
};


subtest 'a peer that nobody trusts does not name the host' => sub {
    my $answer = $browser->raw("GET /x HTTP/1.1\r\nHost: judge.test\r\nAccept: application/json\r\nX-Forwarded-Host: evil.example.com\r\nConnection: close\r\n\r\n");
    is $answer->status, 401, 'refused';
    unlike $answer->json->{login_url} // '', qr/evil/, 'by its own name';
};

done_testing;
