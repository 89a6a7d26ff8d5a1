# SPDX-License-Identifier: Apache-2.0
# SetHandler keycloak-metrics: what moves when something happens, that nothing that was counted is lost, who is answered and
# where nobody is; and the section of mod_status.
use strict;
use warnings;
use Test::More;
use IO::Socket::INET;
use Keycloak::Expect;
use Keycloak::Ports;
use Keycloak::Server;
use Keycloak::World;

use constant { PREFIX => 'mod_auth_keycloak_', FORM => 'application/x-www-form-urlencoded', OPEN => 'application/openmetrics-text' };

my @memcached;
END { local $?; kill 'KILL', @memcached if @memcached }

# A memcached of this test's own: its process and its address.
sub memcached {
    my ($port) = free_ports(1);
    my $pid = fork // die "fork: $!\n";
    exec 'memcached', '-l', '127.0.0.1', '-p', $port, '-U', 0 or exit 1 if !$pid;
    push @memcached, $pid;
    wait_until(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) }) or die "memcached does not listen\n";
    return ($pid, "127.0.0.1:$port");
}

# A server of a test's own, with a port of its own for Prometheus.
sub server_with_metrics {
    my ($name, %options) = @_;
    my ($port) = free_ports(1);
    my $server = Keycloak::Server->new($name, places => $options{places} || [], mpm => $options{mpm} || 'event', lines => [
        "LoadModule status_module $ENV{KC_MODULES}/mod_status.so", "Listen 127.0.0.1:$port", 'KeycloakStoreTimeout 5s', 'KeycloakHTTPTimeout 20s',
        @{ $options{lines} || [] }, "<VirtualHost *:$port>", '<Location />', 'Require all granted', 'SetHandler keycloak-metrics', '</Location>',
        '<Location /server-status>', 'SetHandler server-status', 'ProxyPass !', '</Location>', '<Location /denied>', 'Require all denied', '</Location>',
        'ErrorDocument 403 /metrics', '</VirtualHost>']);
    return ($server, $port);
}

sub ask {
    my ($port, $method, $path, @headers) = @_;
    local $ENV{KC_PORT} = $port;
    return browser('prometheus')->request($method || 'GET', $path || '/metrics', headers => \@headers);
}

# All samples of a text: name and labels to value.
sub samples { return { map { /^(\w+(?:\{.*\})?) (\S+)$/ ? ($1, $2) : () } split /\n/, shift } }
sub scraped { return samples(ask(shift)->body) }

# The value of a metric; "" when it is not there.
sub value { my ($samples, $name, $labels) = @_; return $samples->{ PREFIX . $name . (defined $labels ? "{$labels}" : '') } // '' }

# moves_ok(PORT, NAME, CHANGE, EVENT, METRIC => BY, ...): an event moves these metrics by so much.
sub moves_ok {
    my ($port, $name, $event, @moves) = @_;
    return subtest $name => sub {
        my $before = scraped($port);
        $event->();
        my $after = scraped($port);
        while (my ($metric, $by) = splice @moves, 0, 2) {
            is +($after->{ PREFIX . $metric } // 0) - ($before->{ PREFIX . $metric } // 0), $by, "$metric by $by";
        }
    };
}

my (undef, $mc) = memcached();
my ($server, $port) = server_with_metrics('metrics', lines => [
    "KeycloakMemcached $mc", 'KeycloakCacheTTL 60s', 'KeycloakBearer on', 'KeycloakAudience app'],
    places => ['<Location /operator>', 'SetHandler keycloak-sessions', '</Location>', '<Location /script>', 'KeycloakUnauth 401', '</Location>']);
local $ENV{KC_PORT} = $server->port;
my $site = 'metrics';
realm($site)->set(lifetime => 3000);

sub labels { return join ',', map { my ($name, $value) = @$_; "$name=\"$value\"" } @_ }
sub requests { return 'requests_total{' . labels([state => shift], [action => shift]) . '}' }
sub outcome { my ($name, $outcome, $tag) = @_; return "${name}_total{" . labels([outcome => $outcome], [tag => $tag // '']) . '}' }
sub sign_outs { my ($channel, $outcome, $tag) = @_; return 'sign_outs_total{' . labels([channel => $channel], [outcome => $outcome], [tag => $tag // '']) . '}' }
sub calls { return 'keycloak_calls_total{' . labels([endpoint => shift], [answer => shift]) . '}' }
sub store { return 'store_call_duration_seconds_count{' . labels([server => $mc], [operation => shift]) . '}' }
sub ended { return 'sessions_ended_total{' . labels([cause => shift]) . '}' }
sub looks { return 'first_tier_lookups_total{' . labels([result => shift]) . '}' }

my ($alice, $bob);
moves_ok $port, 'a sign-in', sub { $alice = signed_in($site) or BAIL_OUT('nobody can sign in') },
    requests('none', 'login') => 1, 'sign_ins_begun_total' => 1, outcome('sign_ins', 'done') => 1, 'sessions_created_total' => 1,
    calls('token', '2xx') => 1, 'keycloak_call_duration_seconds_count{endpoint="token"}' => 1, store('put') => 2,
    'log_lines_total{tag="KC0601"}' => 1;
moves_ok $port, 'her first page', sub { is $alice->get('/page')->status, 200, 'a page' },
    requests('live', 'allow') => 1, looks('miss') => 1, looks('hit') => 0, store('get') => 2, 'first_tier_entries' => 1;
moves_ok $port, 'a page by the first tier', sub { is $alice->get('/page')->status, 200, 'a page' },
    requests('live', 'allow') => 1, looks('hit') => 1, looks('miss') => 0, store('get') => 0, 'first_tier_entries' => 0;
moves_ok $port, 'nobody, at a page for scripts', sub { is browser($site)->get('/script')->status, 401, 'refused' }, requests('none', 'deny') => 1;
moves_ok $port, 'a bearer token', sub {
    is browser($site)->get('/page', Authorization => 'Bearer ' . realm($site)->bearer_token)->status, 200, 'let in';
}, outcome('bearer_tokens', 'done') => 1, requests('live', 'allow') => 1;
moves_ok $port, 'a bad bearer token', sub { is browser($site)->get('/page', Authorization => 'Bearer x.y.z')->status, 401, 'refused' },
    requests('refused', 'deny') => 1;
moves_ok $port, 'a callback that nobody waits for', sub { browser($site)->get('/authservice/oidc/callback?code=x&state=y') },
    outcome('sign_ins', 'refused', 'KC0305') => 1;
moves_ok $port, 'a sign-out', sub { ok $alice->get('/authservice/logout')->status =~ /^30[23]$/, 'out' },
    sign_outs('browser', 'done') => 1, ended('sign_out') => 1, 'first_tier_entries' => -1;
moves_ok $port, 'a page with the session that has ended', sub { $alice->get('/page') }, 'sessions_created_total' => 0;

subtest 'the table' => sub {
    my $text = ask($port)->body;
    my @families = $text =~ /^# TYPE (\S+)/mg;
    cmp_ok scalar @families, '>=', 20, 'many families';
    my %seen;
    is_deeply [grep { $seen{$_}++ } @families], [], 'each of them once';
    for my $family (@families) {
        like $text, qr/^# HELP \Q$family\E \S.*\.$/m, "$family is explained";
        like $text, qr/^\Q$family\E(?:_bucket|_sum|_count)?(?:\{| )/m, "$family has a sample";
    }
    %seen = ();
    is_deeply [grep { $seen{$_}++ } $text =~ /^(\w+(?:\{.*\})?) \S+$/mg], [], 'each sample once';
    unlike $text, qr/alice|canary|example\.com|eyJ/, 'of nobody, and without secrets';
    my $samples = samples($text);
    is value($samples, 'store_server_up', "server=\"$mc\""), 1, 'memcached is up';
    like value($samples, 'keycloak_metadata_age_seconds', "issuer=\"$ENV{KC_PROVIDER}/realms/$site\""), qr/^\d+$/, 'the metadata have an age';
    is value($samples, 'waiting_threads', "for=\"$_\""), 0, "nobody waits: $_" for qw(keycloak slot renewal);
    cmp_ok value($samples, 'first_tier_size_bytes'), '>', 1e6, 'the first tier has a size';
    like $text, qr/^mod_auth_keycloak_build_info\{version="\d[^"]*",httpd="2\.4\.\d+"\} 1$/m, 'the build';
};

subtest 'answers' => sub {
    my $answer = ask($port);
    is $answer->status, 200, 'answered';
    is $answer->header('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8', "Prometheus' format";
    like $answer->header('Cache-Control') // '', qr/no-store/, 'not to be kept';
    like $answer->header('Vary') // '', qr/\bAccept\b/, 'which depends on Accept';
    is_deeply [$answer->all('Set-Cookie')], [], 'no cookie';
    my $open = ask($port, 'GET', '/metrics', Accept => OPEN . ';version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2');
    is $open->header('Content-Type'), 'application/openmetrics-text; version=1.0.0; charset=utf-8', 'OpenMetrics';
    like $open->body, qr/\n# EOF\n\z/, 'to its end';
    my $head = ask($port, 'HEAD');
    is $head->status, 200, 'HEAD';
    is $head->body, '', 'without a body';
    for my $method (qw(POST PUT DELETE PATCH OPTIONS PROPFIND)) {
        my $refused = ask($port, $method, '/metrics', 'Content-Length' => 0);
        is $refused->status, 405, "$method: 405";
        is join(',', grep { $_ ne 'TRACE' } sort split /,\s*/, $refused->header('Allow') // ''), 'GET,HEAD', 'what is allowed is named';
    }
    is ask($port, 'GET', '/denied')->status, 403, 'an ErrorDocument does not make a refusal good';
};

subtest 'mod_status' => sub {
    my $auto = ask($port, 'GET', '/server-status?auto')->body;
    my $samples = scraped($port);
    my ($created) = $auto =~ /^AuthKeycloakSessionsCreated: (\d+)$/m;
    is $created, value($samples, 'sessions_created_total'), '?auto: the same number';
    like $auto, qr/^AuthKeycloakStoreServerUp\[\Q$mc\E\]: 1$/m, 'with the memcached server';
    like $auto, qr/^AuthKeycloak\w+(?:\[[^]]*\])?: \d+$/m, 'a name and a number';
    unlike $auto, qr/^AuthKeycloak(?!\w+(?:\[[^\]\n]*\])?: -?\d+$)/m, 'on each line';
    like $auto, qr/^AuthKeycloakCallDurationSecondsCount: [1-9]\d*$/m, 'a histogram: how many calls';
    unlike $auto, qr/^AuthKeycloak\w*Seconds: /m, 'which are no seconds';
    my $page = ask($port, 'GET', '/server-status')->body;
    like $page, qr{<h2>mod_auth_keycloak</h2>}, 'the page: a section';
    like $page, qr{<td>AuthKeycloakSessionsCreated</td><td></td><td>$created</td>}, 'with the same number';
    unlike "$auto$page", qr/alice|canary/, 'of nobody';
};

# ---- sign-outs by others, and by the list

subtest 'other ends of sessions' => sub {
    $alice = signed_in($site);
    is $alice->get('/page')->status, 200, 'a page';
    moves_ok $port, 'back-channel logout', sub {
        is browser($site)->post('/authservice/backchannel-logout', 'logout_token=' . realm($site)->logout_token, 'Content-Type' => FORM)->status, 200, 'taken';
    }, sign_outs('back_channel', 'done') => 1;
    moves_ok $port, 'a bad logout token', sub {
        is browser($site)->post('/authservice/backchannel-logout', 'logout_token=x', 'Content-Type' => FORM)->status, 400, 'refused';
    }, sign_outs('back_channel', 'refused', 'KC0201') => 0;
};

# ---- many at once

subtest 'what many children count at once is exact' => sub {
    $server->until_all;
    $bob = signed_in($site);
    is $bob->get('/page')->status, 200, 'a page';
    my $before = scraped($port);
    my ($clients, $each) = (8, 50);
    my @pids = map {
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            my $bad = grep { $bob->get('/page')->status != 200 } 1 .. $each;
            POSIX::_exit($bad ? 1 : 0);
        }
        $pid;
    } 1 .. $clients;
    is join(',', map { waitpid $_, 0; $? >> 8 } @pids), join(',', (0) x $clients), 'all were answered';
    my $after = scraped($port);
    my $metric = requests('live', 'allow');
    is $after->{ PREFIX . $metric } - $before->{ PREFIX . $metric }, $clients * $each, 'each request once';
};

# Totals of all counters.
sub totals { my $samples = shift; return { map { $_ => $samples->{$_} } grep { /(?:_total|_count|_sum|_bucket)(?:\{|\z)/ } keys %$samples } }

sub not_less_ok {
    my ($before, $after, $name) = @_;
    my @less = grep { ($after->{$_} // -1) < $before->{$_} } keys %$before;
    return is "@less", '', $name;
}

subtest 'nothing that was counted is lost' => sub {
    my $before = totals(scraped($port));
    $server->replace_children;
    my $killed = totals(scraped($port));
    not_less_ok $before, $killed, 'when children are killed';
    is $killed->{ PREFIX . requests('live', 'allow') }, $before->{ PREFIX . requests('live', 'allow') }, 'and nothing is added';
    $server->restart;
    my $restarted = totals(scraped($port));
    not_less_ok $killed, $restarted, 'at a graceful restart';
    is $bob->get('/page')->status, 200, 'a page';
    is scraped($port)->{ PREFIX . requests('live', 'allow') }, $restarted->{ PREFIX . requests('live', 'allow') } + 1, 'and it goes on';
    my ($second, $other) = memcached();
    $server->change("KeycloakMemcached \Q$mc\E", "KeycloakMemcached $other");
    $server->restart;
    my $moved = scraped($port);
    not_less_ok $restarted, totals($moved), 'with another memcached';
    is value($moved, 'store_server_up', "server=\"$other\""), 1, 'which is shown';
    is value($moved, 'store_server_up', "server=\"$mc\""), '', 'in place of the one before';
    $server->change("KeycloakMemcached \Q$other\E", "KeycloakMemcached $mc");
    $server->restart;
};

subtest 'memcached fails' => sub {
    kill 'KILL', $memcached[0];
    waitpid $memcached[0], 0;
    moves_ok $port, 'a page of somebody who is not known', sub {
        is browser($site)->get('/page', Cookie => 'keycloak_session=' . 'A' x 43)->status, 503, 'unavailable';
    }, requests('unknown', 'unavailable') => 1;
    my $samples = scraped($port);
    is value($samples, 'store_server_up', "server=\"$mc\""), 0, 'it is marked down';
    cmp_ok value($samples, 'store_call_failures_total', "server=\"$mc\",fault=\"wrong\""), '>=', 1, 'for calls that failed';
};

# ---- where it must not answer

subtest 'never where a gateway would take it for "allowed"' => sub {
    my ($judged) = free_ports(1);
    my $other = Keycloak::Server->new('metrics-judge', lines => [
        "Listen 127.0.0.1:$judged", "<VirtualHost *:$judged>", 'ServerName judge.test', '<Location />', 'AuthType Keycloak', 'Require valid-user', 'SetHandler keycloak-judge', '</Location>', '</VirtualHost>',
        "<VirtualHost *:$judged>", 'ServerName other.test', '<Location />', 'Require all granted', 'SetHandler keycloak-metrics', '</Location>', '</VirtualHost>']);
    local $ENV{KC_PORT} = $judged;
    is browser('other')->get('/metrics')->status, 404, 'at its port';
    is browser('other')->get('/metrics')->status, 404, 'again';
    is scalar(() = $other->log =~ /KC0003: SetHandler keycloak-metrics is not served/g) >= 1, 1, 'and the log says why';
};

# started(LINES): what the log of a server with such lines warns of.
sub warnings_of {
    my ($name, @lines) = @_;
    my $other = Keycloak::Server->new($name, lines => ["LoadModule authz_host_module $ENV{KC_MODULES}/mod_authz_host.so", @lines]);
    wait_until(sub { $other->log =~ /resuming normal operations/ });
    my @warnings = grep { /keycloak-metrics/ } split /\n/, $other->log;
    $other->stop;
    return scalar @warnings;
}

subtest 'a warning where everybody can read it' => sub {
    my ($own) = free_ports(1);
    my @open = ('<Location /metrics>', 'SetHandler keycloak-metrics', 'AuthType None', 'Require all granted', '</Location>');
    is warnings_of('metrics-open', @open), 1, 'beside the pages of a site';
    is warnings_of('metrics-ip', '<Location /metrics>', 'SetHandler keycloak-metrics', 'AuthType None', 'Require ip 127.0.0.1', '</Location>'), 0, 'not where an address is required';
    my @site = ("<VirtualHost *:$own>", 'ServerName site.test', '</VirtualHost>');
    my @metrics = ('ServerName metrics.test', '<Location />', 'Require all granted', 'SetHandler keycloak-metrics', '</Location>', '</VirtualHost>');
    is warnings_of('metrics-name', "Listen 127.0.0.1:$own", @site, "<VirtualHost *:$own>", @metrics), 1, 'nor is a name of its own enough, at the address of others';
    is warnings_of('metrics-address', "Listen 127.0.0.1:$own", @site, "<VirtualHost 127.0.0.1:$own>", @metrics), 0, 'but an address of its own is, which httpd chooses before any name';
    is warnings_of('metrics-host', "Listen 127.0.0.1:$own", "<VirtualHost *:$own>", '<Location />', 'Require all granted', 'SetHandler keycloak-metrics', '</Location>', '</VirtualHost>'), 0,
        'not where a virtual host has nothing else';
};

done_testing;
