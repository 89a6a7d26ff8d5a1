# SPDX-License-Identifier: Apache-2.0
# SetHandler keycloak-health: when a probe gets "ready", how soon, at what cost, and where it never does.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Keycloak::Expect;
use Keycloak::Ports;
use Keycloak::Server;
use Keycloak::World;

use constant {
    PATIENCE => 60,
    SOON     => 8,    # seconds: less than the ten after which a realm is asked again that was known before
};
use constant JSON_TYPE => qr{^application/json};

# A server of a test's own, and a port of its own for probes: a virtual host that has no settings but inherits.
sub server_with_probes {
    my ($name, @lines) = @_;
    my ($port) = free_ports(1);
    my $server = Keycloak::Server->new($name, lines => [
        "Listen 127.0.0.1:$port", @lines, "<VirtualHost *:$port>", '<Location />', 'Require all granted',
        'SetHandler keycloak-health', '</Location>', '<Location /denied>', 'Require all denied', '</Location>',
        'ErrorDocument 403 /', '</VirtualHost>',
    ]);
    return ($server, $port);
}

sub ask {
    my ($port, $method, $path, @headers) = @_;
    local $ENV{KC_PORT} = $port;
    return browser('probe')->request($method || 'GET', $path || '/', headers => \@headers);
}

sub ready_ok {
    my ($port, $name) = @_;
    my $answer = wait_until(sub { my $got = ask($port); $got->status == 200 && $got });
    return ok $answer, $name;
}

sub not_ready_ok {
    my ($answer, $problem, $name) = @_;
    return subtest $name => sub {
        is $answer->status, 503, 'unavailable';
        my $json = $answer->json || {};
        ok exists $json->{ready} && !$json->{ready}, 'not ready';
        is scalar @{ $json->{problems} || [] }, 1, 'for one reason';
        like $json->{problems}[0] // '', $problem, 'which is named';
        unlike $answer->text, qr/canary/, 'without secrets';
        like $answer->header('Cache-Control') // '', qr/no-store/, 'not to be kept';
    };
}

subtest 'ready' => sub {
    my ($server, $port) = server_with_probes('health');
    my $start = time;
    ready_ok $port, 'soon';
    cmp_ok time - $start, '<', 20, 'at once, in fact';
    my $answer = ask($port);
    is_deeply $answer->json, { ready => JSON::PP::true(), problems => [] }, 'nothing is wrong';
    like $answer->header('Content-Type') // '', JSON_TYPE, 'JSON';
    like $answer->header('Cache-Control') // '', qr/no-store/, 'not to be kept';
    is_deeply [$answer->all('Set-Cookie')], [], 'no session';
    my $head = ask($port, 'HEAD');
    is $head->status, 200, 'HEAD';
    is $head->body, '', 'without a body';
    for my $method (qw(POST PUT DELETE PATCH OPTIONS PROPFIND)) {
        my $refused = ask($port, $method, '/', 'Content-Length' => 0);
        is $refused->status, 405, "$method: 405";
        is join(',', grep { $_ ne 'TRACE' } sort split /,\s*/, $refused->header('Allow') // ''), 'GET,HEAD', 'what is allowed is named';
    }
    is ask($port)->status, 200, "probe $_" for 1 .. 20;
    is fetched('health', 'discovery'), 1, 'all of which led to one fetch';
    my @lines = $server->log =~ /(KC063\d: keycloak-health: .*)/g;
    is scalar(grep { /^KC0633: keycloak-health: ready/ } @lines), 1, 'and to one line in the log';
    is ask($port, 'GET', '/denied')->status, 403, 'an ErrorDocument does not make a refusal good';
};

subtest 'before the realm answers' => sub {
    realm('health-late')->set(faults => { discovery => { kind => 'drop' } });
    my ($server, $port) = server_with_probes('health-late', 'KeycloakHTTPTimeout 60s');
    ok wait_until(sub { fetched('health-late', 'discovery') }), 'somebody has tried';
    not_ready_ok ask($port), qr{realms/health-late cannot be fetched: }, 'not ready';
    my ($before, $start, $longest) = (fetched('health-late', 'discovery'), time, 0);
    while (time - $start < 3 || (fetched('health-late', 'discovery') - $before < 3 && time - $start < PATIENCE)) {
        my $begun = time;
        is(ask($port)->status, 503, 'still not') if ask($port)->status != 503;
        my $took = time - $begun;
        $longest = $took if $took > $longest;
        sleep 0.02;
    }
    cmp_ok $longest, '<', 20, 'no probe waits long';
    cmp_ok fetched('health-late', 'discovery') - $before, '<=', 2 + 2 * (time - $start), 'the realm is asked twice a second, however many probes there are';
    cmp_ok fetched('health-late', 'discovery') - $before, '>=', 3, 'but it is asked';
    realm('health-late')->reset;
    $start = time;
    sleep 0.02 while ask($port)->status != 200 && time - $start < PATIENCE;
    cmp_ok time - $start, '<', SOON, 'ready as soon as it answers';
    my @lines = $server->log =~ /(KC063\d: keycloak-health: .*)/g;
    is join('|', map { substr $_, 0, 6 } @lines), 'KC0632|KC0633', 'two changes, two lines' or diag "@lines";
};

subtest '?started: whether it was ready once, whatever is missing now' => sub {
    realm('health-started')->set(faults => { discovery => { kind => 'drop' } });
    my ($server, $port) = server_with_probes('health-started', 'KeycloakMetadataTTL 1s', 'KeycloakMetadataStale 2s');
    not_ready_ok ask($port, 'GET', '/?started'), qr{realms/health-started cannot be fetched: }, 'not before it was ready';
    realm('health-started')->reset;
    ok wait_until(sub { ask($port, 'GET', '/?started')->status == 200 }), 'by a probe of its own, once all is there';
    realm('health-started')->set(faults => { discovery => { kind => 'drop' } });
    ok wait_until(sub { ask($port)->status == 503 }), 'ready no longer';
    is ask($port, 'GET', '/?started')->status, 200, "but it has started, probe $_" for 1 .. 5;
    is_deeply ask($port, 'GET', '/?started')->json, { started => JSON::PP::true() }, 'which is all that it says';
    is ask($port, 'HEAD', '/?started')->status, 200, 'HEAD';
    is ask($port, 'POST', '/?started', 'Content-Length' => 0)->status, 405, 'POST: 405';
    is ask($port, 'GET', "/?$_")->status, 503, "not by $_" for 'Started', 'started=', 'started&x', 'xstarted';
};

subtest 'without a single probe the background finds it as soon' => sub {
    realm('health-alone')->set(faults => { discovery => { kind => 'drop' } });
    my ($server, $port) = server_with_probes('health-alone');
    ok wait_until(sub { fetched('health-alone', 'discovery') >= 2 }), 'it tries again and again';
    realm('health-alone')->reset;
    my $start = time;
    ok wait_until(sub { fetched('health-alone', 'certs') }), 'and fetches the keys';
    cmp_ok time - $start, '<', SOON, 'as soon as it can';
    ok wait_until(sub { $server->log =~ /are fetched again/ }), 'which the log says';
    is ask($port)->status, 200, 'the first probe is told that all is well';
    is fetched('health-alone', 'certs'), 1, 'and has nothing to fetch';
};

subtest 'a realm that hangs' => sub {
    realm('health-hangs')->set(faults => { discovery => { kind => 'hang' } });
    my ($server, $port) = server_with_probes('health-hangs', 'KeycloakHTTPTimeout 20s');
    my $start = time;
    my $answer = ask($port);
    cmp_ok time - $start, '<', 20, 'holds a first probe for less than KeycloakHTTPTimeout';
    not_ready_ok $answer, qr/realms\/health-hangs/, 'which is told so';
    for my $number (2 .. 4) {
        $start = time;
        ask($port);
        cmp_ok time - $start, '<', 20, "and probe $number as little";
    }
};

subtest 'a realm that was there goes' => sub {
    my ($server, $port) = server_with_probes('health-stale', 'KeycloakMetadataTTL 1s', 'KeycloakMetadataStale 4s');
    ready_ok $port, 'ready';
    realm('health-stale')->set(faults => { discovery => { kind => 'drop' } });
    ok wait_until(sub { ask($port)->status == 503 }), 'it is missed';
    my $gone = time;
    my $last = (realm('health-stale')->log('certs'))[-1]{time};
    # what was fetched is dated in whole seconds
    cmp_ok $gone - $last, '>', 3, 'when KeycloakMetadataStale is over, and no sooner';
};

subtest 'memcached' => sub {
    my ($down, $down_port) = server_with_probes('health-no-store', "KeycloakMemcached 127.0.0.1:$ENV{KC_CLOSED_PORT}");
    ok wait_until(sub { fetched('health-no-store', 'certs') }), 'the realm is there';
    ok wait_until(sub { @{ (ask($down_port)->json || {})->{problems} || [] } == 1 }), 'and known';
    not_ready_ok ask($down_port), qr/no session store answers: memcached 127\.0\.0\.1:$ENV{KC_CLOSED_PORT}.*\(KeycloakMemcached\)/, 'nobody answers' for 1 .. 3;
    my ($half, $half_port) = server_with_probes('health-half-store',
        "KeycloakMemcached 127.0.0.1:$ENV{KC_CLOSED_PORT} 127.0.0.1:$ENV{KC_MEMCACHED_PORT}", 'KeycloakStoreTimeout 1s');
    ready_ok $half_port, 'one of two is enough';
    is ask($half_port)->status, 200, 'each time' for 1 .. 10;
};

subtest 'one site whose realm is down keeps all from being ready' => sub {
    my ($site) = free_ports(1);
    realm('health-other')->set(faults => { discovery => { kind => 'drop' } });
    my ($server, $port) = server_with_probes('health-one', "<VirtualHost *:$site>", "KeycloakIssuer $ENV{KC_PROVIDER}/realms/health-other",
        '</VirtualHost>');
    ok wait_until(sub { @{ (ask($port)->json || {})->{problems} || [] } == 1 }), 'one realm is there';
    not_ready_ok ask($port), qr{realms/health-other}, 'the other is not';
    realm('health-other')->reset;
    ready_ok $port, 'until it is';
};

# A virtual host at a port of its own.
sub site_with { my ($port, @lines) = @_; return ("Listen 127.0.0.1:$port", "<VirtualHost *:$port>", @lines, '</VirtualHost>') }

sub problems_of { my $port = shift; return join "\n", sort @{ (ask($port)->json || {})->{problems} || [] } }

subtest 'each problem is named once' => sub {
    my @sites = free_ports(6);
    open my $password, '>', "$ENV{KC_ROOM}/store.password" or die "store.password: $!\n";
    print $password "a password of the store\n";
    close $password;
    chmod 0600, "$ENV{KC_ROOM}/store.password";
    my @others = free_ports(2);
    realm("health-$_")->set(faults => { discovery => { kind => 'drop' } }) for qw(many many-other);
    my ($server, $port) = server_with_probes('health-many', "KeycloakMemcached 127.0.0.1:$ENV{KC_CLOSED_PORT}",
        site_with($sites[0], 'KeycloakScope openid'),                                       # the same realm and store
        site_with($sites[1], "KeycloakMemcached 127.0.0.1:$others[0]"),                     # another store
        site_with($sites[2], "KeycloakMemcached 127.0.0.1:$others[0]"),                     # a line of its own for it
        site_with($sites[3], "KeycloakIssuer $ENV{KC_PROVIDER}/realms/health-many-other", "KeycloakMemcached 127.0.0.1:$others[1]"),
        site_with($sites[4], 'KeycloakMemcachedUser app', "KeycloakMemcachedPassword file:$ENV{KC_ROOM}/store.password"), # the store, as somebody
        site_with($sites[5]));                                                              # nothing of its own
    my $where = qr/metadata and keys of \Q$ENV{KC_PROVIDER}\E\/realms\/health-many/;
    my $store = sub { my $closed = shift; return qr/no session store answers: memcached 127\.0\.0\.1:$closed:? [^\n]*/ };
    my $wanted = qr/\A$where cannot be fetched: [^\n]*\n$where-other cannot be fetched: [^\n]*\n@{[join '\\n', map { $store->($_) } sort $ENV{KC_CLOSED_PORT}, @others]}\z/;
    ok wait_until(sub { problems_of($port) =~ $wanted }), 'two realms and three stores' or diag problems_of($port);
    is ask($port)->status, 503, 'not ready';
    realm("health-$_")->reset for qw(many many-other);
};

subtest 'more realms that hang than a probe has the time for' => sub {
    my @names = map { "health-hangs-$_" } 1 .. 3;
    realm($_)->set(faults => { discovery => { kind => 'hang' } }) for 'health-hang', @names;
    my @sites = free_ports(3);
    my ($server, $port) = server_with_probes('health-hang', 'KeycloakHTTPTimeout 4s',
        map { site_with($sites[$_], "KeycloakIssuer $ENV{KC_PROVIDER}/realms/$names[$_]") } 0 .. $#names);
    my $problems = problems_of($port);
    like $problems, qr{realms/\Q$_\E cannot be fetched: }, "$_ is named" for 'health-hang', @names;
    is scalar(() = $problems =~ /cannot be fetched/g), 4, 'and nothing else';
    realm($_)->reset for 'health-hang', @names;
};

# A time-out so short that a quarter of it is none would be no time-out at all.
subtest 'a time-out of a few milliseconds is one' => sub {
    realm('health-hasty')->set(faults => { discovery => { kind => 'hang' } });
    my ($server, $port) = server_with_probes('health-hasty', 'KeycloakHTTPTimeout 3ms');
    not_ready_ok ask($port), qr{realms/health-hasty cannot be fetched: }, 'a realm that hangs' for 1 .. 3;
    realm('health-hasty')->reset;
};

subtest 'the realm of one virtual host alone' => sub {
    my ($site, $probes) = free_ports(2);
    my $server = Keycloak::Server->new('health-none', is_off => 1, lines => [
        site_with($site, Keycloak::Server::module_on('health-one-host'), '<Location />', 'AuthType Keycloak', 'Require valid-user', '</Location>'),
        site_with($probes, '<Location />', 'SetHandler keycloak-health', '</Location>')]);
    ready_ok $probes, 'is all that counts';
    is fetched('health-one-host', 'discovery'), 1, 'and was asked for';
};

subtest 'never where a gateway could take it for the judge' => sub {
    my $mark = log_mark();
    my $in = signed_in('judge') or return fail 'signing in';
    isnt $in->get('/ready')->status, 200, 'not beside a judge in its virtual host';
    isnt browser('judge')->get('/ready')->status, 200, 'neither for strangers';
    is browser('beside-judge')->get('/')->status, 404, 'nor in another virtual host of its port';
    is browser('beside-judge')->get('/x?y')->status, 404, 'each time';
    my @lines = log_since($mark) =~ /(KC0003: SetHandler keycloak-health is not served)/g;
    is scalar @lines, 1, 'which is logged once';
    for my $judge (['in an <If>', '<If "%{QUERY_STRING} == \'judge\'">', 'SetHandler keycloak-judge', '</If>'],
        ['by an expression', 'SetHandler "%{req:X-Handler}"'], ['by an expression that fails', 'SetHandler "' . '%{tolower:' x 25 . 'x' . '}' x 25 . '"'])
    {
        my ($name, @judge) = @$judge;
        my ($port) = free_ports(1);
        my $server = Keycloak::Server->new('health-judge', lines => ["Listen 127.0.0.1:$port", "<VirtualHost *:$port>", 'ServerName probe.test', '<Location />',
            'Require all granted', 'SetHandler keycloak-health', '</Location>', '</VirtualHost>',
            "<VirtualHost *:$port>", 'ServerName judge.test', '<Location />', 'AuthType Keycloak', 'Require valid-user', @judge, '</Location>', '</VirtualHost>']);
        is ask($port, 'GET', '/', 'X-Handler' => 'keycloak-judge')->status, 404, "nor beside a judge $name";
        like $server->log, qr/SetHandler keycloak-health is not served/, 'which is logged';
    }
};

done_testing;
