# SPDX-License-Identifier: Apache-2.0
# KeycloakJudgeFor nginx and forwarded: headers name the request, which clients could send too (threats.md H 120-122, I 124-131).
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::World;

use constant HTML => 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8';

my %modes = (
    nginx     => { uri => 'X-Original-URI', method => 'X-Original-Method', malformed => 403 },
    forwarded => { uri => 'X-Forwarded-Uri', method => 'X-Forwarded-Method', malformed => 400 },
);
my $browser = signed_in('forward') || BAIL_OUT('nobody can sign in');
my $cookie = $browser->cookie_header;

# ask(MODE, METHOD, PATH, HEADERS...): as the gateway asks; undef leaves its header out.
sub ask {
    my ($mode, $method, $path, @headers) = @_;
    my $site = $mode =~ /^(\w+)-stranger$/ ? $1 : $mode;
    return browser($mode)->request('GET', '/auth-of-the-gateway?x=1', headers => [
        $modes{$site}{uri} => $path, $modes{$site}{method} => $method, @headers]);
}

sub allowed_ok {
    my ($name, $answer, $user) = @_;
    return subtest $name => sub {
        is $answer->status, 200, 'allowed';
        is_deeply [$answer->all('kubeflow-userid')], [$user], 'the user, once';
        for my $header (qw(kubeflow-groups X-Name Cookie)) {
            is scalar(() = $answer->all($header)), 1, "$header, once";
        }
        is $answer->body, '', 'no body';
        is $answer->header('x-envoy-auth-headers-to-remove'), undef, 'nothing for Envoy';
    };
}

sub refused_as {
    my ($name, $answer, $status) = @_;
    is $answer->status, $status, "$name: $status" or diag $answer->text;
    is_deeply [$answer->all('kubeflow-userid')], [], 'nobody is named';
    return;
}

for my $mode (sort keys %modes) {
    my ($uri, $verb, $malformed) = @{ $modes{$mode} }{qw(uri method malformed)};
    my @own = (Cookie => $cookie);

    subtest "$mode: who is signed in" => sub {
        allowed_ok 'a page', ask($mode, 'GET', '/pipeline/?a=b', @own), 'alice@example.com';
        for my $method (qw(HEAD POST PUT PATCH DELETE OPTIONS PROPFIND QUERY M-SEARCH VERSION-CONTROL X+Y.Z)) {
            allowed_ok $method, ask($mode, $method, '/x', @own), 'alice@example.com';
        }
        for my $range ('bytes=0-5', 'bytes=5-', 'bytes=-5', 'bytes=0-0,1-1', 'bytes=9-1') {
            allowed_ok "$range is of a body that is not here", ask($mode, 'GET', '/x', @own, Range => $range, 'If-None-Match' => '*'), 'alice@example.com';
        }
        allowed_ok 'nor is a condition on it', ask($mode, 'GET', '/x', @own, 'If-Match' => '"x"', 'If-Modified-Since' => 'Thu, 26 Nov 2026 00:00:00 GMT'),
            'alice@example.com';
        allowed_ok 'asked by HEAD', browser($mode)->request('HEAD', '/', headers => [$uri => '/x', $verb => 'GET', @own]), 'alice@example.com';
        allowed_ok 'what is odd in a query alone', ask($mode, 'GET', '/x?a=//../%2e%2e\\|{}"<>,', @own), 'alice@example.com';
        allowed_ok 'a forged name', ask($mode, 'GET', '/x', @own, 'kubeflow-userid' => 'evil@example.com', 'Kubeflow_Groups' => 'admins'), 'alice@example.com';
        allowed_ok 'a forged name in Connection', ask($mode, 'GET', '/x', @own, Connection => 'kubeflow-userid, close'), 'alice@example.com';
    };

    subtest "$mode: cookies" => sub {
        is ask($mode, 'GET', '/x', @own)->header('Cookie'), '', 'none but ours: empty';
        is ask($mode, 'GET', '/x', Cookie => "$cookie; XSRF-TOKEN=abc")->header('Cookie'), 'XSRF-TOKEN=abc', 'the backend keeps its own';
        is ask($mode, 'GET', '/public/x', Cookie => 'a=b; c=d')->header('Cookie'), 'a=b; c=d', 'as they came';
        is ask($mode, 'GET', '/public/x', Cookie => undef)->header('Cookie'), '', 'none at all: empty';
    };

    subtest "$mode: who is not" => sub {
        my $page = ask($mode, 'GET', '/pipeline/a b?', Cookie => undef);
        refused_as 'a blank in the path', $page, $malformed;
        $page = ask($mode, 'GET', '/pipeline/%C3%A4?a=b&c=%26d', Cookie => undef);
        if ($mode eq 'nginx') {
            refused_as 'a page', $page, 401;
            my $login = $page->header('X-Keycloak-Login');
            is $login, "http://forward.test:$ENV{KC_PORT}/authservice/login?return=%2Fpipeline%2F%25C3%25A4%3Fa%3Db%26c%3D%2526d", 'and where to sign in';
            my $visitor = browser('forward');
            my $start = $visitor->get($login =~ s{^http://[^/]+}{}r);
            my $back = $visitor->get($visitor->authorize($start->header('Location')));
            is $back->led_to, '/pipeline/%C3%A4?a=b&c=%26d', 'leads back to the page';
            like ask($mode, 'HEAD', '/x', Cookie => undef)->header('X-Keycloak-Login') // '', qr/return=%2Fx$/, 'HEAD is a page as well';
            like ask($mode, 'GET', '/strong/x', @own)->header('X-Keycloak-Login') // '', qr/return=%2Fstrong%2Fx&demand=/, 'a stronger sign-in';
        } else {
            ok asked_to_sign_in($page, 'forward'), 'a page leads to the realm' or diag $page->text;
        }
        for my $case (['POST', '/x'], ['DELETE', '/x'], ['GET', '/x', Accept => 'application/json'], ['GET', '/ws', Upgrade => 'websocket'],
            ['GET', '/ws', 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ=='],
            ['GET', '/always/x'], ['QUERY', '/x'])
        {
            my ($method, $path, @headers) = @$case;
            my $answer = ask($mode, $method, $path, Cookie => undef, @headers);
            refused_as "$method $path", $answer, 401;
            is $answer->header('X-Keycloak-Login'), undef, 'no way to sign in' ;
        }
        my $form = ask($mode, 'POST', '/pages/x?a=b', Cookie => undef);
        if ($mode eq 'nginx') {
            is $form->header('X-Keycloak-Login'), "http://forward.test:$ENV{KC_PORT}/authservice/login?return=%2F",
                'KeycloakUnauth login: also by POST, and then on to the start page';
        } else {
            ok asked_to_sign_in($form, 'forward'), 'KeycloakUnauth login: also by POST';
        }
        refused_as 'Require all denied', ask($mode, 'GET', '/nobody/x', Cookie => undef), 403;
        refused_as 'a role that is missing', ask($mode, 'GET', '/admin/x', @own), 403;
        allowed_ok 'a role that is there', ask($mode, 'GET', '/user/x', @own), 'alice@example.com';
    };

    subtest "$mode: public paths, in their plain spelling alone" => sub {
        allowed_ok 'public', ask($mode, 'GET', '/public/x?y', Cookie => undef, 'kubeflow-userid' => 'evil@example.com'), '';
        allowed_ok 'public, signed in', ask($mode, 'POST', '/public/x', @own), '';
        for my $path ('/public/..;/x', '/public/%2e%2e/x', '/public/%2E%2E/x', '/public/%252e%252e/x', '/public%2fx', '/public/..%2fx', '/public/%2f../x', '/public\\x',
            '/public/..\\x', '//public/x', '/public//x', '/public/x;y', '/PUBLIC/x', '/publicX', '/x?/public/', '/public/%00', '/public/a%23b',
            '/public/../x', '/public/./x', '/x/../public/x', '/public#x', '/x#/public/', '/%70ublic/x', '/public/%zz')
        {
            my $answer = ask($mode, 'GET', $path, Cookie => undef);
            isnt $answer->status, 200, "$path stays protected";
            like $answer->status, qr/^(401|403)$/, 'and nginx understands why' if $mode eq 'nginx';
        }
    };

    subtest "$mode: a path that could be read in two ways is refused" => sub {
        for my $path ('/admin/../x', '/admin/%2e%2e/x', '/x/./y', '/x//y', '//x', '/x/..', '/x/.', '/x\\y', '/x%5cy', '/x/..;/y', '/x%00', '/x%2f..%2fadmin/y',
            '/x%2F%2fadmin', '/x%2f.', '/x/#y', '/x#', '/x%', '/x%2', '/x%0', '/x%e')
        {
            refused_as $path, ask($mode, 'GET', $path, @own), $malformed;
        }
    };

    subtest "$mode: a question that is none" => sub {
        my @bad = (
            ['no URI', undef, 'GET'], ['an empty URI', '', 'GET'], ['no method', '/public/x', undef], ['an empty method', '/public/x', ''],
            ['the absolute form', "http://$mode.test/public/x", 'GET'], ['another absolute form', 'https://evil.example.com/public/x', 'GET'],
            ['the asterisk', '*', 'OPTIONS'], ['an authority', 'evil.example.com:443', 'GET'], ['no slash', 'public/x', 'GET'], ['a query alone', '?/public/x', 'GET'],
            ['a blank', '/public/x y', 'GET'], ['a tab', "/public/x\ty", 'GET'], ['two paths in one', '/public/x, /x', 'GET'], ['octets', "/public/\xc3\xa4", 'GET'],
            ['TRACE', '/public/x', 'TRACE'], ['CONNECT', '/public/x', 'CONNECT'], ['a method with a blank', '/public/x', 'GET x'],
            ['two methods in one', '/public/x', 'GET, POST'], ['a method with a slash', '/public/x', 'GET/'], ['a method of 33 characters', '/public/x', 'X' x 33],
            ['9 KiB', '/public/' . 'x' x 9216, 'GET'],
        );
        for my $case (@bad) {
            my ($name, $path, $method) = @$case;
            refused_as $name, ask($mode, $method, $path, @own), $malformed;
        }
        allowed_ok '8 KiB less a little', ask($mode, 'GET', '/public/' . 'x' x 8000, @own), '';
        for my $twice ([$uri => '/public/x'], [lc $uri => '/x'], [$verb => 'GET'], [uc $verb => 'POST'], [$uri => '']) {
            refused_as "@$twice once more", ask($mode, 'GET', '/public/x', @own, @$twice), $malformed;
        }
        my ($other) = grep { $_ ne $mode } keys %modes;
        refused_as 'the headers of another gateway',
            browser($mode)->request('GET', '/public/x', headers => [@own, $modes{$other}{uri} => '/public/x', $modes{$other}{method} => 'GET', 'X-Original-URL' => '/public/x']),
            $malformed;
        for my $header ('X-Original-URL', 'X-Rewrite-URL', 'x-envoy-original-path', $modes{$other}{uri}, $uri =~ tr/-/_/r) {
            my $answer = ask($mode, 'GET', '/x', Cookie => undef, Accept => 'application/json', $header => '/public/x');
            refused_as "$header beside it is not believed", $answer, 401;
        }
        for my $line ('POST /public/x', 'TRACE /public/x', 'CONNECT x:1', 'OPTIONS *', 'PUT /public/x') {
            my $answer = browser($mode)->raw("$line HTTP/1.1\r\nHost: $mode.test\r\n$uri: /public/x\r\n$verb: GET\r\nConnection: close\r\n\r\n");
            isnt $answer->status, 200, "asked by $line";
            is_deeply [$answer->all('kubeflow-userid')], [], 'nobody is named';
        }
        my $absolute = browser($mode)->raw("GET http://$mode.test/public/x HTTP/1.1\r\nHost: $mode.test\r\n$uri: /x\r\n$verb: POST\r\nConnection: close\r\n\r\n");
        is $absolute->status, 401, 'the request line counts for nothing';
    };

    subtest "$mode: a length without a body takes no other request in" => sub {
        my $next = "GET / HTTP/1.1\r\nHost: $mode.test\r\n$uri: /public/x\r\n$verb: GET\r\nConnection: close\r\n\r\n";
        for my $framing ('Content-Length: ' . length $next, 'Transfer-Encoding: chunked', 'Content-Length: 1000000') {
            my $answer = browser($mode)->raw("GET / HTTP/1.1\r\nHost: $mode.test\r\n$uri: /public/x\r\n$verb: POST\r\n$framing\r\n\r\n$next");
            is $answer->status, $malformed, $framing;
            like $answer->header('Connection') // '', qr/close/, 'what is left of it is not waited for';
            is scalar(() = $answer->text =~ m{HTTP/1\.1 \d}g), 1, 'and the connection is over' or diag $answer->text;
        }
        my $kept = browser($mode)->raw("GET / HTTP/1.1\r\nHost: $mode.test\r\n$uri: /x\r\n$verb: HEAD\r\nAccept: application/json\r\n\r\n$next");
        my @answers = $kept->text =~ m{HTTP/1\.1 (\d+)}g;
        is_deeply \@answers, [401, 200], 'two questions on one connection, each its own';
    };

    subtest "$mode: of a stranger" => sub {
        for my $path ('/public/x', '/x', '/free/x') {
            refused_as "$path", ask("$mode-stranger", 'GET', $path, @own), 403;
            refused_as "$path in the request line", browser("$mode-stranger")->get($path, @own), 403;
        }
        refused_as 'who says to be another', ask("$mode-stranger", 'GET', '/public/x', @own, 'X-Forwarded-For' => '192.0.2.1'), 403;
    };

    subtest "$mode: 203 a judge that nobody guards never says yes" => sub {
        for my $path (qw(/free/x /untyped/x /by-address/x /either/x /limited/x /satisfied/x /if/x?open /looked/x)) {
            refused_as "GET $path", ask($mode, 'GET', $path, @own), 500;
            refused_as "OPTIONS $path of a stranger", ask($mode, 'OPTIONS', $path), 500;
        }
        is ask($mode, 'GET', '/pass/x')->status, 200, 'but by KeycloakUnauth pass';
    };

    subtest "$mode: nothing else in the virtual host is a yes" => sub {
        for my $path (qw(/authservice/whoami /authservice/sessions /authservice/login /authservice/logout /authservice/oidc/callback /authservice/ /authservice/nothing
            /authservice/backchannel-logout /authservice/frontchannel-logout /local/ /local/nothing /local/empty /local/full))
        {
            for my $method (qw(GET POST OPTIONS)) {
                my $answer = ask($mode, $method, $path, @own, Accept => HTML);
                refused_as "$method $path", $answer, 403;
                is $answer->body, '', 'without a body of who said yes' if $path =~ m{^/local/(?:empty|full)$};
            }
        }
        my $mark = log_mark();
        ask($mode, 'GET', '/authservice/whoami', @own);
        like log_since($mark), qr/KC0114: judge-question: an address of this module/, 'and the log says what to do';
        ok $browser->get('/authservice/whoami')->status == 200, 'nobody was signed out';
    };

    subtest "$mode: what others of the server see" => sub {
        ask($mode, 'DELETE', '/seen/by?the=log', @own);
        my $line = (split /\n/, error_log("${mode}_log"))[-1];
        is $line, 'DELETE /seen/by?the=log 200 [DELETE /seen/by?the=log HTTP/1.1] --', 'the access log';
        ask($mode, 'GET', '/authservice/oidc/callback?code=canary-code-4c1f&state=canary', @own);
        unlike error_log("${mode}_log") . error_log(), qr/canary-code-4c1f/, 'no log has a code';
    };
}

# The status, and what an answer over HTTP/2 has as the user.
sub over_h2 {
    my ($method, @arguments) = @_;
    open my $pipe, '-|', '/usr/bin/python3', "$ENV{KC_ROOM}/t/lib/h2_request.py", $ENV{KC_HTTPS_PORT}, 'forwarded-h2.test', $method, '/public/z',
        "cookie:$cookie", @arguments or die "python3: $!";
    my $output = do { local $/; <$pipe> } // '';
    close $pipe;
    my ($status) = $output =~ /^(\d+)\n/;
    return $status, join ',', $output =~ /^kubeflow-userid: *(.*)$/gm;
}

subtest 'over HTTP/2' => sub {
    my @question = ('x-forwarded-uri:/user/x', 'x-forwarded-method:POST');
    is_deeply [over_h2('GET', @question)], [200, 'alice@example.com'], 'allowed';
    is_deeply [over_h2('GET', @question, 'x-forwarded-uri:/public/x')], [400, ''], 'two addresses';
    is_deeply [over_h2('GET', @question, 'x-forwarded-method:GET')], [400, ''], 'two methods';
    is_deeply [over_h2('GET', $question[0])], [400, ''], 'no method';
    is_deeply [over_h2('POST', @question, '--body', 'a=b')], [400, ''], 'asked by POST';
    is_deeply [over_h2('GET', @question, '--body', 'a=b')], [400, ''], 'with a body';
    is_deeply [over_h2('GET', 'x-forwarded-uri:/admin/x', 'x-forwarded-method:GET')], [403, ''], 'a role that is missing';
};

subtest 'a trusted peer names scheme and host' => sub {
    my $answer = ask('forwarded', 'GET', '/x', Cookie => undef, 'X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => 'evil.example.com');
    like $answer->header('Location') // '', qr/redirect_uri=http%3A%2F%2Fforward\.test/, 'but KeycloakPublicURL has the last word';
};

done_testing;
