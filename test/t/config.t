# SPDX-License-Identifier: Apache-2.0
# threats.md P: configurations that httpd -t must refuse, and what the logs must not hold.
use strict;
use warnings;
use Test::More;
use JSON::PP ();
use Keycloak::Browser;
use Keycloak::Expect;
use Keycloak::Ports;
use Keycloak::World;

my $room = $ENV{KC_ROOM};
my $dir = "$room/configs";
mkdir $dir;

sub file {
    my ($name, $text, $mode) = @_;
    open my $handle, '>', "$dir/$name" or die "$name: $!";
    print $handle $text;
    close $handle;
    chmod $mode // 0600, "$dir/$name";
    return "$dir/$name";
}

our $base = join "\n", "ServerRoot $dir", "PidFile $dir/pid", "ErrorLog $dir/error_log", 'ServerName localhost', 'Listen 127.0.0.1:1',
    (map { "LoadModule ${_}_module $ENV{KC_MODULES}/mod_$_.so" } qw(mpm_event authn_core authz_core authz_user)),
    "LoadModule auth_keycloak_module $ENV{KC_BUILD}/mod_auth_keycloak.so", '';
my $first = ($base =~ tr/\n//) + 1;    # number of the line after the base

# Runs httpd -t on a configuration: whether it is accepted, and what was said.
my $count = 0;
sub check {
    my @lines = @_;
    my $path = file('config-' . ++$count . '.conf', $base . join("\n", @lines) . "\n");
    open my $pipe, '-|', "\Q$ENV{KC_HTTPD}\E -t -f \Q$path\E 2>&1" or die "httpd: $!";
    my $said = do { local $/; <$pipe> };
    close $pipe;
    my $status = $?;
    # Errors of a later stage go to the error log.
    if (open my $log, '<', "$dir/error_log") {
        local $/;
        $said .= <$log> // '';
        unlink "$dir/error_log";
    }
    return ($status == 0, $said, $path);
}

my $secret = 'canary-config-secret-77b1';
file('password', "$secret\n");
my %keys = (
    good  => file('good.key', 'k' x 40 . "\n"),
    short => file('short.key', 'k' x 31 . "\n"),
    empty => file('empty.key', ''),
    blank => file('blank.key', "\n" . 'k' x 40 . "\n"),
    open  => file('open.key', 'k' x 40 . "\n", 0644),
    group => file('group.key', 'k' x 40 . "\n", 0640),
);
my $secret_file = file('secret', "$secret\n");
my $open_secret = file('open-secret', "$secret\n", 0644);
my $empty_secret = file('empty-secret', "\n");
my $no_pem = file('no.pem', "hello\n");
file('authority.pem', do { open my $handle, '<', "$room/ca.pem" or die "ca.pem: $!"; local $/; <$handle> });
my ($bad_certificate, $bad_key) = map { file("bad-$_->[0].pem", "-----BEGIN $_->[1]-----\nrubbish\n-----END $_->[1]-----\n") } ['certificate', 'CERTIFICATE'], ['key', 'PRIVATE KEY'];

my @realm = ('KeycloakIssuer http://127.0.0.1:1/realms/x', 'KeycloakClientID app');
my @minimal = (@realm, "KeycloakClientSecret $secret");
my @location = ('<Location />', 'AuthType Keycloak', 'Require valid-user', '</Location>');

# ---- accepted

my %good = (
    'the minimal configuration'      => [@minimal, @location],
    'a secret in a file'             => [@realm, "KeycloakClientSecret file:$secret_file", @location],
    'a secret of a command'          => [@realm, "KeycloakClientSecret \"exec:/bin/cat $secret_file\"", @location],
    'http to a remote issuer with consent' => ['KeycloakIssuer http://keycloak.example.com/realms/x', 'KeycloakAllowHTTP on',
        'KeycloakClientID app', "KeycloakClientSecret $secret", @location],
    'https to a remote issuer'       => ['KeycloakIssuer https://keycloak.example.com/realms/x', 'KeycloakClientID app',
        "KeycloakClientSecret $secret", @location],
    'http to localhost'              => ['KeycloakIssuer http://localhost:8080/realms/x', 'KeycloakClientID app', "KeycloakClientSecret $secret"],
    'http to ::1'                    => ['KeycloakIssuer http://[::1]:8080/realms/x', 'KeycloakClientID app', "KeycloakClientSecret $secret"],
    'two crypto keys'                => [@minimal, "KeycloakCryptoKey file:$keys{good} file:$keys{good}"],
    'no secret, client authentication none' => [@realm, 'KeycloakClientAuth none'],
    'the module loaded, no directive' => [],
    'settings for all hosts, the issuer in one' => ['KeycloakClientID app', "KeycloakClientSecret $secret", '<VirtualHost *:1>',
        'KeycloakIssuer http://127.0.0.1:1/realms/x', @location, '</VirtualHost>'],
    'eight crypto keys'              => [@minimal, 'KeycloakCryptoKey' . " file:$keys{good}" x 8],
    'secrets in files relative to ServerRoot' => [@realm, 'KeycloakClientSecret file:secret', 'KeycloakCryptoKey file:good.key', 'KeycloakMemcached 127.0.0.1:1',
        'KeycloakMemcachedUser app', 'KeycloakMemcachedPassword file:password'],
    'files of other kinds, relative and marked as such' => [@minimal, 'KeycloakCAFile file:authority.pem'],
    'a relative one without a mark'  => [@minimal, 'KeycloakCAFile authority.pem'],
    'lists in quotes'                => [@minimal, 'KeycloakScope "openid email"', 'KeycloakTrustedProxy "10.0.0.0/8 ::1"', 'KeycloakPublicPath "/a /b" /c',
        'KeycloakAlgorithms "RS256 ES256"', "KeycloakCryptoKey \"file:$keys{good} file:$keys{good}\""],
    'every kind of value'            => [@minimal, 'KeycloakHTTPTimeout 1500ms', 'KeycloakSessionMax 1d', 'KeycloakSessionIdle 90m',
        'KeycloakClockSkew 10', 'KeycloakCacheSize 16M', 'KeycloakVerifiedEmail off', 'KeycloakHeader X-A a.b.c', 'KeycloakHeader X-B name',
        'KeycloakUserTransform lower', 'KeycloakPublicPath /a /b/', 'KeycloakTrustedProxy 10.0.0.0/8 ::1', 'KeycloakPrefix /sign/in/',
        'KeycloakPublicURL https://kubeflow.example.com', 'KeycloakAuthURL /realms/x/auth', 'KeycloakScope openid groups',
        'KeycloakAlgorithms RS256 ES256', 'KeycloakCookieSameSite Strict'],
);
subtest 'half of what a guard needs' => sub {
    my @proxy = map { "LoadModule ${_}_module $ENV{KC_MODULES}/mod_$_.so" } grep { -e "$ENV{KC_MODULES}/mod_$_.so" } qw(proxy proxy_http rewrite);
    my @guard = ('AuthType Keycloak', 'Require valid-user');
    my @pass = ('ProxyPass / http://127.0.0.1:1/');
    my @engine = ('RewriteEngine on');
    my %halves = (
        'Require without AuthType'   => [qr/Require valid-user \(line \d+ of .*without an AuthType.*Add AuthType Keycloak/,
            @minimal, '<Location /a>', 'Require valid-user', '</Location>'],
        'the same of a role'         => [qr/Require keycloak-role \(line \d+ of .*without an AuthType/,
            @minimal, '<Location /a>', @guard, '</Location>', '<Location /b>', 'Require keycloak-role admin', '</Location>'],
        'AuthType without Require'   => [qr/AuthType Keycloak \(line \d+ of .*without a Require.*Add Require valid-user/,
            @minimal, '<Location />', 'AuthType Keycloak', '</Location>'],
        'a client, and no issuer'    => [qr/KeycloakClientID \(line \d+ of .*no KeycloakIssuer.*Add KeycloakIssuer/,
            'KeycloakClientID x', 'KeycloakClientSecret y'],
        'the same of a virtual host' => [qr/KeycloakClientSecret \(line \d+ of .*no KeycloakIssuer/, '<VirtualHost *:1>', @minimal, '</VirtualHost>',
            '<VirtualHost *:1>', 'ServerName b.test', 'KeycloakClientSecret y', '</VirtualHost>'],
        'a directory before a proxy' => [qr{AuthType Keycloak \(line \d+ of .*<Directory \.\.\.>: what ProxyPass .*Use <Location />},
            @minimal, @proxy, '<Directory />', @guard, '</Directory>', @pass],
        'a directory before a rule that proxies' => [qr{AuthType .*in <Directory \.\.\.>: what RewriteRule \(line}, @minimal, @proxy, @engine, '<Directory />', @guard, '</Directory>',
            'RewriteRule "^/(.*)" "http://127.0.0.1:1/$1" [NC,P,L]'],
        'the same by its long name'  => [qr{AuthType .*in <Directory \.\.\.>: what RewriteRule \(line}, @minimal, @proxy, @engine, '<VirtualHost *:1>', @engine, '<Directory />', @guard, '</Directory>',
            'RewriteRule ^/(.*) http://127.0.0.1:1/$1 [proxy]', location('/admin', @guard), '</VirtualHost>'],
        'a directory, and a location for a part of it' => [qr{AuthType .*in <Directory \.\.\.>: what ProxyPass \(line}, @minimal, @proxy, '<Directory />', @guard, '</Directory>',
            location('/admin', @guard), @pass],
        'and for the wrong one of two' => [qr{AuthType .*in <Directory \.\.\.>: what ProxyPass \(line}, @minimal, @proxy, '<Directory />', @guard, '</Directory>',
            location('/admin', @guard), 'ProxyPass /admin http://127.0.0.1:1/', 'ProxyPass /administrator http://127.0.0.1:1/'],
        'and a proxy in an open location' => [qr{AuthType .*in <Directory \.\.\.>: what ProxyPass \(line}, @minimal, @proxy, '<Directory />', @guard, '</Directory>',
            location('/admin', @guard), location('/b', 'ProxyPass http://127.0.0.1:1/')],
        'and a pattern'              => [qr{AuthType .*in <Directory \.\.\.>: what ProxyPassMatch \(line}, @minimal, @proxy, '<Directory />', @guard, '</Directory>',
            location('/admin', @guard), 'ProxyPassMatch ^/(admin|b)/(.*)$ http://127.0.0.1:1/$2'],
        'and a pattern of two'       => [qr{AuthType .*in <Directory \.\.\.>: what ProxyPassMatch \(line}, @minimal, @proxy, '<Directory />', @guard, '</Directory>',
            location('/admin', @guard), 'ProxyPassMatch ^/admin/x|^/b http://127.0.0.1:1/'],
        'the same of files'          => [qr{AuthType .*in <FilesMatch \.\.\.>: what ProxyPass}, @minimal, @proxy, '<VirtualHost *:1>', '<FilesMatch x>', @guard, '</FilesMatch>', @pass, '</VirtualHost>'],
    );
    for my $name (sort keys %halves) {
        my ($wanted, @lines) = @{ $halves{$name} };
        my ($accepted, $said) = check(@lines);
        ok $accepted, "$name: no reason not to start" or diag $said;
        like $said, qr/KC0003: $wanted/, 'but said, with the cure';
    }
    my %whole = (
        'a guard'                     => [@minimal, '<Location />', @guard, '</Location>'],
        'one type for all'            => [@minimal, '<Location />', 'AuthType Keycloak', '</Location>', '<Location /a>', 'Require valid-user', '</Location>'],
        'another type'                => [@minimal, '<Location /a>', 'AuthType Basic', 'Require valid-user', '</Location>'],
        'what needs no type'          => [@minimal, '<Location /a>', 'Require all granted', '</Location>'],
        'a client of virtual hosts'   => ['KeycloakClientID x', 'KeycloakClientSecret y', '<VirtualHost *:1>', 'KeycloakIssuer http://127.0.0.1/realms/a', '</VirtualHost>'],
        'a directory without a proxy' => [@minimal, '<Directory />', @guard, '</Directory>'],
        'a directory, and a location' => [@minimal, @proxy, '<Directory />', @guard, '</Directory>', '<Location />', @guard, '</Location>', @pass],
        'a directory, and a location around the proxy' => [@minimal, @proxy, '<Directory />', @guard, '</Directory>', location('/app', @guard), 'ProxyPass /app/ http://127.0.0.1:1/'],
        'a proxy in a guarded location' => [@minimal, @proxy, '<Directory />', @guard, '</Directory>', location('/app', @guard, 'ProxyPass http://127.0.0.1:1/')],
        'a pattern in a location'     => [@minimal, @proxy, '<Directory />', @guard, '</Directory>', location('/app', @guard), 'ProxyPassMatch ^/app/(a|b)$ http://127.0.0.1:1/$1'],
        'a rule in a location'        => [@minimal, @proxy, @engine, '<Directory />', @guard, '</Directory>', location('/app', @guard), 'RewriteRule ^/app/?(.*) http://127.0.0.1:1/$1 [P]'],
        'a location by a pattern'     => [@minimal, @proxy, '<Directory />', @guard, '</Directory>', '<LocationMatch ^/>', @guard, '</LocationMatch>', @pass],
        'what is not handed on'       => [@minimal, @proxy, '<Directory />', @guard, '</Directory>', 'ProxyPass /static !', location('/x', 'ProxyPass !')],
        'a rule that proxies nothing' => [@minimal, @proxy, @engine, '<Directory />', @guard, '</Directory>', 'RewriteRule ^/a /b [PT,E=x:P]', 'RewriteRule ^/P /c'],
        # such a rule is looked at after the guard
        'a rule of a directory'       => [@minimal, @proxy, '<Directory />', @guard, @engine, 'RewriteRule (.*) http://127.0.0.1:1/$1 [P]', '</Directory>'],
    );
    for my $name (sort keys %whole) {
        my ($accepted, $said) = check(@{ $whole{$name} });
        ok $accepted, "$name: starts" or diag $said;
        unlike $said, qr/without an? (?:AuthType|Require)|no KeycloakIssuer|is in no directory/, 'without a word';
    }
};

# The log of a server that goes to the background when it starts, as those of distributions do.
sub daemon {
    my $text = join "\n", $base, @_, '';
    my ($port) = free_ports(1);
    $text =~ s/^Listen .*/Listen 127.0.0.1:$port/m;
    my $path = file('daemon-' . ++$count . '.conf', $text);
    unlink "$dir/error_log";
    is system("\Q$ENV{KC_HTTPD}\E -k start -f \Q$path\E >/dev/null 2>&1 </dev/null"), 0, 'it starts';
    my $read = sub { my $name = shift; open my $file, '<', "$dir/$name" or return ''; local $/; return <$file> // '' };
    ok wait_until(sub { $read->('error_log') =~ /resuming normal operations/ }), 'and runs';
    my ($pid) = $read->('pid') =~ /(\d+)/;
    if ($pid) { kill 'TERM', $pid; wait_until(sub { !kill 0, $pid }) }
    my $log = $read->('error_log');
    unlink "$dir/error_log";
    return $log;
}

subtest 'what is told when it starts is in the log' => sub {
    my $log = daemon('LogLevel warn', @minimal, 'KeycloakStoreTimeout 50', '<Location /a>', 'AuthType Keycloak', '</Location>',
        "<Location /judge>", 'SetHandler keycloak-judge', '</Location>', '<VirtualHost *:1>', 'ServerName b.test', 'KeycloakCacheSize 32M', '</VirtualHost>');
    for my $line (qr/warn.*KC0003: AuthType Keycloak \(line \d+ of .*without a Require/, qr/error.*KC0003: SetHandler keycloak-judge .*answers with 500/,
        qr/warn.*KC0003: KeycloakStoreTimeout \(line/, qr/warn.*KC0615: KeycloakCacheSize \(line .*is ignored in a virtual host/) {
        my @found = grep { /$line/ } split /\n/, $log;
        is scalar(@found), 1, "once: $line" or diag $log;
    }
};

subtest 'KeycloakSettingNames: what the administrator has written is what is named' => sub {
    my @names = ('KeycloakSettingNames KeycloakIssuer=OIDC_PROVIDER KeycloakStoreTimeout=STORE_TIMEOUT', 'KeycloakSettingNames KeycloakRedirectURI=REDIRECT_URL');
    my $log = daemon('LogLevel warn', @minimal, 'KeycloakStoreTimeout 50', @names, @location);
    like $log, qr/KC0003: STORE_TIMEOUT \(line/, 'in the log';
    unlike $log, qr/KeycloakStoreTimeout/, 'in place of the directive';
    my ($accepted, $said) = check(@minimal, @names, 'KeycloakPublicURL https://a.test', 'KeycloakRedirectURI https://b.test/authservice/oidc/callback', @location);
    ok !$accepted, 'a mistake';
    like $said, qr/KC0003: REDIRECT_URL \(line/, 'is that of the setting' or diag $said;
    ($accepted, $said) = check(@minimal, 'KeycloakSettingNames KeycloakIssuers=X', @location);
    ok !$accepted, 'what is no directive';
    like $said, qr/KeycloakSettingNames \(line \d+ of .*DIRECTIVE=NAME/, 'has no name' or diag $said;
};

subtest 'AuthType, and no issuer anywhere' => sub {
    my ($accepted, $said) = check('<Location />', 'AuthType Keycloak', 'Require valid-user', '</Location>');
    ok $accepted, 'no reason not to start' or diag $said;
    like $said, qr/error.*KC0003: AuthType Keycloak \(line \d+ of .*no KeycloakIssuer: it answers with 500/, 'but said';
    ($accepted, $said) = check(@minimal, 'KeycloakPublicURL https://kubeflow.example.com', '<Location />', 'AuthType Keycloak', 'Require valid-user', '</Location>');
    unlike $said, qr/KC0003/, 'with one: not a word' or diag $said;
};

subtest 'an address is known' => sub {
    local $base = $base =~ s/^ServerName .*//mr;
    for my $row (['KeycloakPublicURL https://kubeflow.example.com', 0], ['KeycloakRedirectURI https://kubeflow.example.com/authservice/oidc/callback', 0],
        ['ServerName kubeflow.example.com', 0], ['KeycloakScope openid', 1]) {
        my ($line, $warned) = @$row;
        my ($accepted, $said) = check(@minimal, $line, '<Location />', 'AuthType Keycloak', 'Require valid-user', '</Location>');
        ok $accepted, $line or diag $said;
        is scalar(() = $said =~ /neither KeycloakPublicURL nor ServerName/g), $warned, $warned ? 'warned of' : 'not a word' or diag $said;
    }
};

subtest 'a page after signing out that signs out' => sub {
    for my $own ('/authservice/logout', '/authservice/', '/authservice/oidc/callback', '/authservice/%6Cogout?x', 'https://kubeflow.example.com/authservice/logout') {
        my ($accepted, $said) = check(@minimal, 'KeycloakPublicURL https://kubeflow.example.com', "KeycloakAfterLogoutURL $own");
        ok $accepted, "$own: understood";
        like $said, qr/KC0003: KeycloakAfterLogoutURL \(line \d+ of .*address of this module itself/, 'with a warning';
    }
    for my $page ('/', '/authservice/site/bye', '/authservice/login', '/authservices/logout', 'https://other.example.com/authservice/logout') {
        my ($accepted, $said) = check(@minimal, 'KeycloakPublicURL https://kubeflow.example.com', "KeycloakAfterLogoutURL $page");
        ok $accepted, "$page: fine";
        unlike $said, qr/KeycloakAfterLogoutURL/, 'without a word';
    }
};

for my $name (sort keys %good) {
    my ($accepted, $said) = check(@{ $good{$name} });
    ok $accepted, "accepted: $name" or diag $said;
    unlike $said, qr/\Q$secret\E/, 'without telling the secret';
}
subtest 'accepted: a secret in the environment' => sub {
    local $ENV{KC_TEST_SECRET} = $secret;
    my ($accepted, $said) = check(@realm, 'KeycloakClientSecret env:KC_TEST_SECRET');
    ok $accepted, 'accepted' or diag $said;
};
subtest '188 http with consent: one warning when httpd starts' => sub {
    my @warnings = grep { /KeycloakAllowHTTP/ } split /\n/, error_log();
    is scalar(@warnings), 1, 'one' or diag join "\n", @warnings;
    like $warnings[0] // '', qr/\[auth_keycloak:warn\].*KC0622: KeycloakAllowHTTP: /, 'a warning';
};

# ---- trailers that become headers, in any virtual host of a process that has the module on

sub virtual { return ('<VirtualHost *:1>', @_, '</VirtualHost>') }
my $on = 'MergeTrailers On';
my @refused_trailers = (
    ['in the main server',                    'the main server', @minimal, $on],
    ['inherited',                             'the main server', @minimal, $on, virtual('ServerName a.test')],
    ['off in the virtual host alone',         'the main server', @minimal, $on, virtual('MergeTrailers Off')],
    ['in a virtual host that inherits',       'line \d+ of .*', @minimal, virtual($on)],
    ['in a virtual host with a setting',      'line \d+ of .*', @minimal, virtual('KeycloakCookie other', $on)],
    ['on again in a virtual host',            'line \d+ of .*', @minimal, 'MergeTrailers Off', virtual($on)],
    ['in the second one',                     'line \d+ of .*', @minimal, virtual('ServerName a.test'), virtual($on)],
    ['below a condition',                     'line \d+ of .*', @minimal, virtual('<IfModule core.c>', $on, '</IfModule>')],
    ['in the one with the issuer',            'line \d+ of .*', virtual(@minimal, $on)],
    ['beside the one with the issuer',        'line \d+ of .*', virtual(@minimal), virtual($on)],
    ['in the main server, which has no issuer', 'the main server', $on, virtual(@minimal, 'MergeTrailers Off')],
    ['inherited by the one with the issuer',  'the main server', $on, virtual(@minimal)],
);
for my $row (@refused_trailers) {
    my ($name, $where, @lines) = @$row;
    my ($line) = grep { $lines[$_] eq $on } 0 .. $#lines;
    my ($accepted, $said, $path) = check(@lines);
    ok !$accepted, "200 MergeTrailers is refused $name";
    like $said, qr/KC0003: MergeTrailers \(line @{[$first + $line]} of \Q$path\E\) is On for .*$where/, 'and says where' or diag $said;
}
# What another file says is told by its name, also where a line of the same number is another one's.
{
    my $include = sub {
        my ($name, @lines) = @_;
        return 'Include ' . file($name, "\n" x ($first + @minimal) . join("\n", @lines) . "\n");
    };
    my $number = $first + @minimal + 1;
    my ($accepted, $said) = check(@minimal, $include->('trailing.conf', virtual('ServerName a.test', $on)), virtual('ServerName b.test'));
    ok !$accepted, '200 MergeTrailers is refused in another file';
    like $said, qr/KC0003: MergeTrailers \(line @{[$number + 2]} of \Q$dir\E\/trailing\.conf\) is On for the virtual host of line $number of \Q$dir\E\/trailing\.conf/,
        'and says which' or diag $said;
    ($accepted, $said) = check(@minimal, '', '', 'KeycloakCacheSize 32M', $include->('size.conf', virtual('KeycloakCacheSize 16M')), virtual('KeycloakScope openid'));
    ok $accepted, 'KeycloakCacheSize in another file' or diag $said;
    is_deeply [$said =~ /KeycloakCacheSize \(line (\d+) of \Q$dir\E\/size\.conf\) is ignored/g], [$number + 1], 'is ignored there, although the main server has a line of that number';
}
my %kept_trailers = (
    'nowhere on'           => [@minimal, 'MergeTrailers Off', virtual('MergeTrailers Off'), virtual('ServerName a.test')],
    'off where it counts'  => [@minimal, virtual($on, 'MergeTrailers Off')],
    'no issuer in the process' => [$on, virtual($on, 'KeycloakCookie other')],
);
for my $name (sort keys %kept_trailers) {
    my ($accepted, $said) = check(@{ $kept_trailers{$name} });
    ok $accepted, "200 MergeTrailers: $name" or diag $said;
}
subtest 'KeycloakCacheSize is one for all' => sub {
    my $warning = qr/\[auth_keycloak:warn\].*KC0615: KeycloakCacheSize \(line (\d+) of .*\) is ignored in a virtual host/;
    for my $row ([0, @minimal, 'KeycloakCacheSize 32M', virtual('KeycloakCookie other')], [1, @minimal, virtual('KeycloakCacheSize 32M')],
        [1, virtual(@minimal, 'KeycloakCacheSize 32M')], [1, @minimal, 'KeycloakCacheSize 32M', virtual('KeycloakCacheSize 16M')]) {
        my ($count, @lines) = @$row;
        my ($accepted, $said) = check(@lines);
        ok $accepted, 'accepted' or diag $said;
        is scalar(() = $said =~ /$warning/g), $count, "warnings: $count" or diag $said;
    }
};

# ---- a judge's neighbours

my @judge = ('<Location />', 'AuthType Keycloak', 'Require valid-user', 'SetHandler keycloak-judge', '</Location>');
subtest 'KeycloakJudgePaths any, and a location that may ask for more' => sub {
    my @any = (@minimal, 'KeycloakJudgePaths any');
    my @role = ('AuthType Keycloak', 'Require keycloak-role admin');
    my %stricter = (
        'a role'              => [@any, @judge, location('/admin', @role)],
        'a pattern'           => [@any, @judge, '<LocationMatch ^/(admin|x)>', @role, '</LocationMatch>'],
        'nobody'              => [@any, @judge, location('/nobody', 'Require all denied')],
        'a method'            => [@any, @judge, location('/read', 'Require method GET')],
        'in a block'          => [@any, @judge, location('/admin', '<RequireAll>', 'Require valid-user', 'Require keycloak-group a', '</RequireAll>')],
        'a class of sign-ins' => [@any, @judge, location('/gold', 'KeycloakRequireACR gold')],
        'their age'           => [@any, @judge, location('/fresh', 'KeycloakMaxAge 5m')],
        'another type'        => [@any, @judge, location('/basic', 'AuthType Basic', 'Require valid-user')],
        'a condition'         => [@any, '<Location />', 'AuthType Keycloak', 'Require valid-user', 'SetHandler keycloak-judge', q(<If "%{REQUEST_URI} =~ m#^/admin#">),
            'Require keycloak-role admin', '</If>', '</Location>'],
        'the main server'     => [@any, location('/admin', @role), '<VirtualHost *:1>', 'ServerName a.test', @judge, '</VirtualHost>'],
        'the virtual host'    => [@minimal, '<VirtualHost *:1>', 'ServerName a.test', 'KeycloakJudgePaths any', @judge, location('/admin', @role), '</VirtualHost>'],
    );
    my @modules = map { "LoadModule ${_}_module $ENV{KC_MODULES}/mod_$_.so" } qw(access_compat alias rewrite setenvif headers authz_host);
    my @more = (@modules, @any);
    my @rule = ('RewriteEngine On', 'RewriteRule ^ - [F]');
    my %other = (
        'of access_compat'     => [@more, @judge, location('/compat', 'Order allow,deny', 'Deny from all')],
        'a redirect'           => [@more, @judge, location('/none', 'Redirect 403 /none')],
        'a rule'               => [@more, @judge, location('/rw', @rule)],
        'a rule of a pattern'  => [@more, @judge, '<LocationMatch "^/+lm">', @rule, '</LocationMatch>'],
        'a condition\'s rule'   => [@more, @judge, q(<If "%{REQUEST_URI} =~ m#^/admin#">), 'Deny from all', '</If>'],
        'a handler'            => [@more, @judge, location('/x', 'SetHandler none')],
        'an opposite'          => [@more, @judge, location('/x', '<RequireAll>', 'Require valid-user', '<RequireNone>', 'Require valid-user', '</RequireNone>', '</RequireAll>')],
        'a method\'s'          => [@more, @judge, location('/x', '<Limit GET>', 'Require valid-user', '</Limit>')],
        'a computed type'      => [@more, @judge, location('/x', 'AuthType "Key%{env:x}"', 'Require valid-user')],
        'the main server\'s'   => [@more, location('/x', 'Deny from all'), '<VirtualHost *:1>', 'ServerName a.test', @judge, '</VirtualHost>'],
        'own pages'            => [@more, @judge, location('/authservice/site/', 'Deny from all')],
        'all below the prefix' => [@more, @judge, location('/authservice/', 'Deny from all')],
        'a pattern of more'    => [@more, @judge, '<LocationMatch "^/authservice/x|y$">', @rule, '</LocationMatch>'],
        'another such'         => [@more, @judge, '<LocationMatch "^/authservice/.*">', @rule, '</LocationMatch>'],
        'a short slash'        => [@more, @judge, '<LocationMatch "^/authservice/?x$">', @rule, '</LocationMatch>'],
    );
    for my $name (sort keys %other) {
        my ($accepted, $said) = check(@{ $other{$name} });
        ok !$accepted, "refused: $name" or diag $said;
        like $said, qr/KC0003: KeycloakJudgePaths any \(line \d+ of .*\): <?\w+ \(line \d+ of .* may ask for more than <Location \/> does/, 'and says what' or diag $said;
    }
    my %dependent = (
        'an expression'         => 'Require expr "%{REQUEST_URI} !~ m#^/admin#"',
        'its opposite'          => 'Require not expr "%{REQUEST_URI} =~ m#^/admin#"',
        'a variable'            => 'Require env allowed',
        'an alias'              => 'Require of-our-own',
        'a computed user'       => 'Require user "%{REQUEST_URI}"',
        'a rule at /'           => 'RewriteRule ^/+secret - [F]',
        'a redirect at /'       => 'RedirectMatch 403 ^/+secret',
        'a variable at /'       => 'SetEnvIf Request_URI ^/secret x',
        'access_compat at /'    => 'Deny from env=x',
        'a computed handler'    => 'SetHandler "%{REQUEST_URI}"',
    );
    for my $name (sort keys %dependent) {
        my ($accepted, $said) = check(@more, '<AuthzProviderAlias expr of-our-own "true">', '</AuthzProviderAlias>', @judge, location('/', '<RequireAll>', 'Require valid-user', '</RequireAll>'),
            $dependent{$name} =~ /not/ ? location('/', '<RequireAll>', 'Require all granted', $dependent{$name}, '</RequireAll>') : location('/', $dependent{$name}));
        ok !$accepted, "refused: $name" or diag $said;
        like $said, qr/KC0003: KeycloakJudgePaths any \(line \d+ of .*\): \w+ \(line \d+ of .* may depend on the path/, 'and says what' or diag $said;
    }
    my @root = ('Require not keycloak-group b', 'Require not ip 192.0.2.1', 'Header set X-A b', 'RequestHeader unset X-B', 'ErrorDocument 403 no', 'LogLevel info', 'KeycloakUnauth 401');
    my @ours = (location('/authservice/sign_out', @rule), '<LocationMatch "^/authservice/(start|sign_in)$">', @rule, '</LocationMatch>', location('/authservice/auth', 'SetHandler none'));
    for my $name (sort keys %stricter) {
        my ($accepted, $said) = check(@{ $stricter{$name} });
        ok !$accepted, "refused: $name" or diag $said;
        like $said, qr/KC0003: KeycloakJudgePaths any \(line \d+ of .*\): \w+ \(line \d+ of .* may ask for more than <Location \/> does/, 'and says what' or diag $said;
    }
    my @elsewhere = ('AuthType Keycloak', 'Require valid-user', 'SetHandler keycloak-judge');
    my %rootless = (
        'a judge below /'     => [@any, location('/judge', @elsewhere)],
        'a judge by patterns' => [@any, '<LocationMatch "^/.+">', @elsewhere, '</LocationMatch>'],
        'a / of others'       => [@any, location('/', 'AuthType Keycloak', 'Require valid-user'), location('/judge', 'SetHandler keycloak-judge')],
        'a host of many'      => [@any, virtual('ServerName b.test', location('/judge', @elsewhere)), '<VirtualHost *:2>', 'ServerName c.test', @judge, '</VirtualHost>'],
    );
    for my $name (sort keys %rootless) {
        my ($accepted, $said) = check(@{ $rootless{$name} });
        ok !$accepted, "refused: $name" or diag $said;
        like $said, qr/KC0003: KeycloakJudgePaths any \(line \d+ of .*\): no <Location \/> of \S+ has SetHandler keycloak-judge/, 'and says what' or diag $said;
    }
    my %equal = (
        'one location'          => [@any, @judge],
        'a weaker one'          => [@any, @judge, location('/ping', 'KeycloakUnauth pass', 'AuthMerging Off', 'AuthType Keycloak', 'Require valid-user')],
        'what / says'           => [@more, @judge, location('/', '<RequireAll>', 'Require valid-user', @root[0, 1], '</RequireAll>', @root[2 .. $#root])],
        'the module\'s own'      => [@more, @judge, @ours],
        'scripts\' answers'      => [@more, @judge, '<LocationMatch "^/+(api|x)">', 'KeycloakUnauth 401', '</LocationMatch>'],
        'directories and files' => [@any, @judge, '<Directory /x>', 'Require all denied', '<If true>', 'Require method GET', '</If>', '</Directory>'],
        'without any'           => [@minimal, @judge, location('/admin', @role)],
        'where nobody judges'   => [@any, '<VirtualHost *:1>', 'ServerName a.test', @judge, '</VirtualHost>', '<VirtualHost *:2>', 'ServerName b.test', location('/admin', @role),
            '</VirtualHost>'],
    );
    for my $name (sort keys %equal) {
        my ($accepted, $said) = check(@{ $equal{$name} });
        ok $accepted, "accepted: $name" or diag $said;
    }
};

my @list = ('<Location /operate>', 'AuthType Keycloak', 'Require valid-user', 'SetHandler "keycloak-sessions"', '</Location>');
sub host { my ($address, @lines) = @_; return ("<VirtualHost $address>", @lines, '</VirtualHost>') }

my %beside = (
    'both in one virtual host'              => [@minimal, host('*:1', @judge, '<IfModule core.c>', @list, '</IfModule>')],
    'both in the main server'               => [@minimal, @judge, @list],
    "a judge in the main server, which virtual hosts have as well" => [@minimal, @judge, host('*:1', @list)],
    "a list in the main server, which virtual hosts have as well"  => [@minimal, @list, host('*:1', @judge)],
);
for my $name (sort keys %beside) {
    my ($accepted, $said) = check(@{ $beside{$name} });
    ok !$accepted, "refused: keycloak-sessions beside keycloak-judge, $name";
    like $said, qr/KC0003: SetHandler keycloak-sessions \(line \d+ of .*config-\d+\.conf\) and SetHandler keycloak-judge \(line/, 'and says which' or diag $said;
}

my $shares = qr/\[auth_keycloak:warn\].*KC0631: the judge of judge\.test .* shares its address with the virtual host page\.test \(line/;
my %shared = (
    'the same address'     => ['*:1', '*:1', 1],
    'one of all addresses' => ['*:1', '127.0.0.1:1', 1],
    'all ports'            => ['127.0.0.1:*', '127.0.0.1:1', 1],
    'all ports of the other' => ['127.0.0.1:1', '127.0.0.1:*', 1],
    'all addresses of the other' => ['127.0.0.1:1', '*:1', 1],
    'all addresses of IPv6' => ['[::]:1', '[::1]:1', 1],
    'another address of IPv6' => ['[::1]:1', '[::2]:1', 0],
    'another port'         => ['*:1', '*:2', 0],
    'another address'      => ['127.0.0.1:1', '127.0.0.2:1', 0],
);
for my $name (sort keys %shared) {
    my ($mine, $its, $is_warned) = @{ $shared{$name} };
    my ($accepted, $said) = check(@minimal, host($mine, 'ServerName judge.test', @judge), host($its, 'ServerName page.test', @list));
    ok $accepted, "a judge and another virtual host: $name" or diag $said;
    is scalar(() = $said =~ /$shares/g), $is_warned, $is_warned ? 'a warning' : 'no warning' or diag $said;
}
{
    my ($accepted, $said) = check(@minimal, host('*:1', 'ServerName judge.test', @judge), host('*:1', 'ServerName page.test', @judge));
    ok $accepted, 'two judges at one address';
    unlike $said, $shares, 'no warning';
}

# ---- 203: guards of which half the lines are missing

sub location { my ($path, @lines) = @_; return ("<Location $path>", @lines, '</Location>') }
my @guard = ('AuthType Keycloak', 'Require valid-user');
my $handler = sub { my $name = shift; return qr/\[auth_keycloak:error\].*KC0003: SetHandler $name \(line \d+ of .*\) in a location without authentication/ };
my $untyped = qr/\[auth_keycloak:warn\].*KC0003: KeycloakIssuer \(line \d+ of .*\), but no location has AuthType Keycloak/;
my $unasked = qr/\[auth_keycloak:warn\].*KC0003: AuthType Keycloak \(line \d+ of .*\) without a Require that needs a user/;
my $all_public = qr/\[auth_keycloak:warn\].*KC0003: KeycloakPublicPath \/ \(line \d+ of .*\): every path is public/;
my $judge = 'SetHandler keycloak-judge';
my @missing = (    # name, what is said (none: nothing of all), lines
    ['a judge without AuthType and Require', $handler->('keycloak-judge'), location('/', $judge)],
    ['a judge without Require', $handler->('keycloak-judge'), location('/', $judge, 'AuthType Keycloak')],
    ['a judge without AuthType', $handler->('keycloak-judge'), location('/', $judge, 'Require valid-user')],
    ['a judge of another AuthType', $handler->('keycloak-judge'), location('/', $judge, 'AuthType Basic', 'Require valid-user')],
    ['a judge that is open to all', $handler->('keycloak-judge'), location('/', $judge, 'AuthType Keycloak', 'Require all granted')],
    ['a judge that is open by method', $handler->('keycloak-judge'), location('/', $judge, 'AuthType Keycloak', 'Require method GET')],
    ['a judge with a guard elsewhere', $handler->('keycloak-judge'), location('/a', $judge), location('/ab', @guard)],
    ['a judge with a guard below', $handler->('keycloak-judge'), location('/', $judge), location('/a', @guard)],
    ['a judge beside a guard whose name begins its own', $handler->('keycloak-judge'), location('/a', @guard), location('/ab', $judge)],
    ['a judge in quotes', $handler->('keycloak-judge'), '<Location "/a">', $judge, '</Location>', '<Location "/b" >', @guard, '</Location>'],
    ['a judge with a guard of its place around it', undef, location('/a', @guard), location('/a/b', $judge)],
    ['a judge with a guard of its place, with a slash', undef, location('/a/', @guard), location('/a/b', $judge)],
    ['a judge with a guard in quotes', undef, '<Location "/a">', @guard, '</Location>', '<Location "/a/b">', $judge, '</Location>'],
    ['a judge with a guard by an expression', undef, location('/a', $judge), '<Location ~ "^/a">', @guard, '</Location>'],
    ['a judge with a guard by a wildcard', undef, location('/a', $judge), location('/*', @guard)],
    ['a judge by a wildcard', undef, location('/a/*', $judge), location('/b', @guard)],
    ['a judge whose AuthType is an expression', undef, location('/', $judge, 'AuthType "%{reqenv:TYPE}"', 'Require valid-user')],
    ["a judge with another host's guard", $handler->('keycloak-judge'), host('*:1', location('/', $judge)), host('*:2', location('/', @guard))],
    ['a judge of all hosts, which none guards', $handler->('keycloak-judge'), location('/', $judge), host('*:1', location('/x', @guard))],
    ['a judge without a place', $handler->('keycloak-judge'), $judge],
    ['a list of sessions without a guard', $handler->('keycloak-sessions'), location('/s', 'SetHandler keycloak-sessions')],
    ['a list of sessions with a guard of another kind', undef, location('/', @guard), host('*:1', location('/s', 'AuthType Basic', 'Require valid-user',
        'SetHandler keycloak-sessions'))],
    ['a judge with its guard', undef, location('/', $judge, @guard)],
    ['a judge with a guard around it', undef, location('/', @guard), location('/a/b', $judge)],
    ['a judge with its guard in another section', undef, location('/', $judge), location('/', @guard)],
    ["a judge with the main server's guard", undef, location('/', @guard), host('*:1', location('/', $judge))],
    ["a judge of all hosts with a guard of each", undef, location('/', $judge), host('*:1', location('/', @guard))],
    ['a judge with a guard by a pattern', undef, location('/', $judge), '<LocationMatch "^/">', @guard, '</LocationMatch>'],
    ['a judge whose Require is nested', undef, location('/', $judge, 'AuthType Keycloak', '<RequireAny>', 'Require all denied', 'Require keycloak-role x', '</RequireAny>')],
    ['a probe without a guard', undef, location('/', @guard), location('/h', 'Require all granted', 'SetHandler keycloak-health')],
    ['no place at all', $untyped],
    ['no place of this kind', $untyped, location('/', 'AuthType Basic', 'Require valid-user')],
    ['a place in the wrong host', $untyped, host('*:1', 'KeycloakIssuer http://127.0.0.1:1/realms/y'), host('*:2', location('/', @guard))],
    ['a place in any host', undef, host('*:1', location('/', @guard)), host('*:2')],
    ['a place in an <If>', undef, '<If "true">', @guard, '</If>'],
    ['AuthType alone', $unasked, location('/', 'AuthType Keycloak')],
    ['AuthType and an open door', $unasked, location('/', 'AuthType Keycloak', 'Require all granted')],
    ['AuthType alone beside another place', $unasked, location('/a', @guard), location('/b', 'AuthType Keycloak')],
    ['AuthType once, Require where it counts', undef, location('/', 'AuthType Keycloak'), location('/b', 'Require valid-user')],
    ['Require around it', undef, location('/', 'Require valid-user'), location('/b', 'AuthType Keycloak')],
    ['all is public', $all_public, 'KeycloakPublicPath /a /', location('/', @guard)],
    ["all of one host is public", $all_public, location('/', @guard), host('*:1', 'KeycloakPublicPath /')],
    ['some is public', undef, 'KeycloakPublicPath /a', location('/', @guard)],
);
for my $row (@missing) {
    my ($name, $wanted, @lines) = @$row;
    my ($accepted, $said) = check(@minimal, @lines);
    subtest "203 at start: $name" => sub {
        ok $accepted, 'httpd would start' or diag $said;
        my @said = grep { /KC0003/ } split /\n/, $said;
        if ($wanted) {
            is scalar(grep { /$wanted/ } @said), 1, 'it is said, once' or diag $said;
        } else {
            is join("\n", @said), '', 'nothing is said';
        }
    };
}
my $doubted = sub { my ($name, $seconds) = @_; return qr/\[auth_keycloak:warn\].*KC0003: $name \(line \d+ of .*\): $seconds seconds are hardly meant/ };
my $shared_cookie = qr/\[auth_keycloak:warn\].*KC0003: KeycloakCookie: the virtual hosts of line \d+ and line \d+ share the cookie keycloak_session of /;
my $foreign_domain = qr/\[auth_keycloak:warn\].*KC0003: KeycloakCookieDomain example\.com \(line \d+ of .*\): \S+ is not in that domain: browsers refuse the cookie/;
my @other = ('KeycloakIssuer http://127.0.0.1:1/realms/other');
my @all = location('/', @guard);
my @hardly_meant = (
    ['50 without a unit', $doubted->('KeycloakStoreTimeout', 50), 'KeycloakStoreTimeout 50', @all],
    ['3 without a unit', $doubted->('KeycloakStoreTimeout', 3), 'KeycloakStoreTimeout 3', @all],
    ['1 ms for the store', $doubted->('KeycloakStoreTimeout', '0\.001'), 'KeycloakStoreTimeout 1ms', @all],
    ['200 without a unit for Keycloak', $doubted->('KeycloakHTTPTimeout', 200), 'KeycloakHTTPTimeout 200', @all],
    ['5 ms for Keycloak', $doubted->('KeycloakHTTPTimeout', '0\.005'), 'KeycloakHTTPTimeout 5ms', @all],
    ['a minute of trust', $doubted->('KeycloakCacheTTL', 60), 'KeycloakCacheTTL 1m', @all],
    ['in one virtual host', $doubted->('KeycloakStoreTimeout', 50), host('*:1', 'KeycloakStoreTimeout 50', @all)],
    ['ten seconds for ten hours', $doubted->('KeycloakSessionMax', 10), 'KeycloakSessionMax 10', @all],
    ['what is sensible', undef, 'KeycloakStoreTimeout 1s', 'KeycloakHTTPTimeout 10', 'KeycloakCacheTTL 0', 'KeycloakSessionMax 7d', @all],
    ['one cookie for two realms of a domain', $shared_cookie, @all, 'KeycloakCookieDomain example.com', host('*:1', 'ServerName a.example.com'),
        host('*:1', 'ServerName b.example.com', @other)],
    ['one cookie for two realms at two ports', $shared_cookie, @all, host('*:1', 'ServerName a.example.com', 'KeycloakClientID b'), host('*:2', 'ServerName a.example.com', @other)],
    ['a cookie for each realm of a domain', undef, @all, 'KeycloakCookieDomain example.com', host('*:1', 'ServerName a.example.com'),
        host('*:1', 'ServerName b.example.com', @other, 'KeycloakCookie other')],
    ['one cookie for one realm of a domain', undef, @all, 'KeycloakCookieDomain example.com', host('*:1', 'ServerName a.example.com', 'KeycloakScope openid'),
        host('*:1', 'ServerName b.example.com', 'KeycloakScope openid')],
    ['one cookie for two clients of a realm', $shared_cookie, host('*:1', 'ServerName a.example.com', 'KeycloakScope openid', @all),
        host('*:2', 'ServerName a.example.com', @all, 'KeycloakClientID b')],
    ['two domains of cookies', undef, @all, host('*:1', 'ServerName a.example.com', 'KeycloakCookieDomain example.com'),
        host('*:2', 'ServerName a.example.com', @other)],
    ['a cookie for a domain that the host is not in', $foreign_domain, @all, host('*:1', 'ServerName www.example.org', 'KeycloakCookieDomain example.com')],
    ['one that only ends like it', $foreign_domain, @all, host('*:1', 'ServerName badexample.com', 'KeycloakCookieDomain example.com')],
    ['one that the redirect URI is not in', $foreign_domain, @all, host('*:1', 'ServerName a.example.com', 'KeycloakCookieDomain example.com',
        'KeycloakRedirectURI https://a.example.org/authservice/oidc/callback')],
    ['the host itself in capitals', undef, @all, host('*:1', 'ServerName Example.com', 'KeycloakCookieDomain example.COM')],
    ['two realms at two hosts', undef, @all, host('*:1', 'ServerName a.example.com', @other), host('*:1', 'ServerName b.example.com', @other)],
);
for my $row (@hardly_meant) {
    my ($name, $wanted, @lines) = @$row;
    my ($accepted, $said) = check(@minimal, @lines);
    subtest "hardly meant: $name" => sub {
        ok $accepted, 'httpd would start' or diag $said;
        my @said = grep { /KC0003/ } split /\n/, $said;
        if ($wanted) {
            is scalar(grep { /$wanted/ } @said), 1, 'a warning' or diag $said;
        } else {
            is join("\n", @said), '', 'no warning';
        }
    };
}
subtest 'a host of which nothing is taken over' => sub {
    my ($accepted, $said) = check('KeycloakScope openid', host('*:1', 'ServerName a.example.com', @minimal, @location),
        host('*:2', 'ServerName a.example.com', 'KeycloakPrefix /other/'));
    ok $accepted, 'httpd would start' or diag $said;
    unlike $said, qr/KC0003/, 'no warning, for the module is off there';
};
subtest 'what is written at the same line of another file is not taken over' => sub {
    my $line = $first + @minimal + @location;
    my $path = file('included.conf', ("\n" x ($line - 1)) . "KeycloakPublicPath /\n");
    my ($accepted, $said) = check(@minimal, @location, 'KeycloakPublicPath /', host('*:1', 'ServerName a.example.com', "Include $path"));
    ok $accepted, 'httpd would start' or diag $said;
    like $said, qr/KC0003: KeycloakPublicPath \/ \(line $line of \Q$_\E\)/, "a warning for $_" for $path, "$dir/config-$count.conf";
};
for my $name (qw(keycloak-jugde Keycloak-Judge keycloak-session keycloak_judge)) {
    my ($accepted, $said) = check(@minimal, location('/', @guard, "SetHandler $name"));
    ok !$accepted, "refused: SetHandler $name, which nobody answers for" or diag $said;
    like $said, qr/KC0003: SetHandler $name \(line \d+ of .*config-\d+\.conf\): this module has no such handler/, 'and says why' or diag $said;
}

# ---- refused: name, directive that the message names, lines; the last line is at fault unless told

my @bad = (
    ['a secret in a file whose name is endless', 'KeycloakClientSecret', [@realm, 'KeycloakClientSecret file:' . 'x' x 6000]],
    ['a file where none is meant',      'KeycloakPublicPath', [@minimal, 'KeycloakPublicPath file:secret']],
    ['a judge for nginx without its address', 'KeycloakJudgeFor', [@minimal, 'KeycloakJudgeFor nginx']],
    ['a judge for Traefik without its address', 'KeycloakJudgeFor', [@minimal, host('*:1', 'KeycloakJudgeFor forwarded')], 'any'],
    ['a judge for somebody else', 'KeycloakJudgeFor', [@minimal, 'KeycloakJudgeFor traefik']],
    ['a place of its own for KeycloakJudgeFor', 'KeycloakJudgeFor', [@minimal, 'KeycloakTrustedProxy ::1', '<Location />', 'KeycloakJudgeFor nginx'], 0],
    ['an answer by an identity header', 'KeycloakUserHeader', [@minimal, 'KeycloakUserHeader Location']],
    ["a word of the gateway's by an identity header", 'KeycloakHeader', [@minimal, 'KeycloakHeader x-envoy-auth-headers-to-remove groups']],
    ['188 the secret is missing',       'KeycloakClientSecret', \@realm, 'any'],
    ['188 the client id is missing',    'KeycloakClientID', ['KeycloakIssuer http://127.0.0.1:1/realms/x', "KeycloakClientSecret $secret"], 'any'],
    ['188 http to a remote issuer',     'KeycloakIssuer', ['KeycloakClientID app', "KeycloakClientSecret $secret",
        'KeycloakIssuer http://keycloak.example.com/realms/x']],
    ['188 http to a name like localhost', 'KeycloakIssuer', ['KeycloakClientID app', "KeycloakClientSecret $secret",
        'KeycloakIssuer http://localhost.example.com/realms/x']],
    ['188 a short key',                 'KeycloakCryptoKey', [@minimal, "KeycloakCryptoKey file:$keys{short}"]],
    ['188 an empty key',                'KeycloakCryptoKey', [@minimal, "KeycloakCryptoKey file:$keys{empty}"]],
    ['188 a key whose first line is empty', 'KeycloakCryptoKey', [@minimal, "KeycloakCryptoKey file:$keys{blank}"]],
    ['188 a short older key',           'KeycloakCryptoKey', [@minimal, "KeycloakCryptoKey file:$keys{good} file:$keys{short}"]],
    ['nine keys', 'KeycloakCryptoKey', [@minimal, 'KeycloakCryptoKey' . " file:$keys{good}" x 9]],
    ['nine keys in two lines', 'KeycloakCryptoKey', [@minimal, 'KeycloakCryptoKey' . " file:$keys{good}" x 5, 'KeycloakCryptoKey' . " file:$keys{good}" x 4]],
    ['nine keys in a virtual host', 'KeycloakCryptoKey', [host('*:1', @minimal, 'KeycloakCryptoKey' . " file:$keys{good}" x 9)], 'any'],
    ['more headers than a fingerprint takes', 'KeycloakHeader', [@minimal, map { "KeycloakHeader X-$_ " . 'c' x 7000 } 1 .. 40], 'any'],
    ['a file of a memcached password that is not there', 'KeycloakMemcachedPassword', [@minimal, 'KeycloakMemcachedPassword file:no-such-file']],
    (map { ["the cookie of the module's own: $_", 'KeycloakCookie', [@minimal, "KeycloakCookie $_"]] }
        qw(keycloak_logout KEYCLOAK_LOGIN_x __Host-keycloak_login_x __Secure-keycloak_logout __host-keycloak_rounds)),
    ['188 a key that is not there',     'KeycloakCryptoKey', [@minimal, "KeycloakCryptoKey file:$dir/absent"]],
    ['188 a key that is a folder',      'KeycloakCryptoKey', [@minimal, "KeycloakCryptoKey file:$dir"]],
    ['188 a key in the clear',          'KeycloakCryptoKey', [@minimal, 'KeycloakCryptoKey ' . 'k' x 40]],
    ['188 a key file readable by others', 'KeycloakCryptoKey', [@minimal, "KeycloakCryptoKey file:$keys{open}"]],
    ['188 a secret file readable by others', 'KeycloakClientSecret', [@realm, "KeycloakClientSecret file:$open_secret"]],
    ['188 a secret file that is not there', 'KeycloakClientSecret', [@realm, "KeycloakClientSecret file:$dir/absent"]],
    ['188 a secret file that is empty', 'KeycloakClientSecret', [@realm, "KeycloakClientSecret file:$empty_secret"]],
    ['188 a secret of an unset variable', 'KeycloakClientSecret', [@realm, 'KeycloakClientSecret env:KC_TEST_UNSET']],
    ['188 a secret of a command that fails', 'KeycloakClientSecret', [@realm, 'KeycloakClientSecret exec:/bin/false']],
    ['188 a secret of a command that is not there', 'KeycloakClientSecret', [@realm, "KeycloakClientSecret exec:$dir/absent"]],
    ['188 an empty secret',             'KeycloakClientSecret', [@realm, 'KeycloakClientSecret ""']],
    (map { ["188 an issuer that is none: $_", 'KeycloakIssuer', ['KeycloakClientID app', "KeycloakClientSecret $secret", "KeycloakIssuer $_"]] }
        'keycloak', '/realms/x', 'ftp://127.0.0.1/x', 'https://', 'https://user@127.0.0.1/x', 'https://127.0.0.1/x#y',
        '"https://127.0.0.1/a b"', 'https://127.0.0.1:99999/x', 'https://exa_mple..com:x/y', '""'),
    ['client authentication that is none', 'KeycloakClientAuth', [@minimal, 'KeycloakClientAuth password']],
    ['private_key_jwt without a key',   'KeycloakClientKey', [@realm, 'KeycloakClientAuth private_key_jwt'], 'any'],
    ['private_key_jwt with a key that is none', 'KeycloakClientKey', [@realm, 'KeycloakClientAuth private_key_jwt', "KeycloakClientKey $no_pem"]],
    ['a client key that is not there',  'KeycloakClientKey', [@realm, 'KeycloakClientAuth private_key_jwt', "KeycloakClientKey $dir/absent"]],
    ['tls_client_auth without a certificate', 'KeycloakClientCert', [@realm, "KeycloakClientKey $room/client.key", 'KeycloakClientAuth tls_client_auth'], 'any'],
    ['a client certificate that is rubbish', 'KeycloakClientCert', [@realm, 'KeycloakClientAuth tls_client_auth', "KeycloakClientKey $room/client.key", "KeycloakClientCert $bad_certificate"]],
    ['a client key that is rubbish',    'KeycloakClientKey', [@realm, 'KeycloakClientAuth tls_client_auth', "KeycloakClientCert $room/client.pem", "KeycloakClientKey $bad_key"]],
    ['a client key of another certificate', 'KeycloakClientKey', [@realm, 'KeycloakClientAuth tls_client_auth', "KeycloakClientCert $room/ca.pem", "KeycloakClientKey $room/client.key"]],
    ['a CA file that is rubbish',       'KeycloakCAFile', [@minimal, "KeycloakCAFile $bad_certificate"]],
    ['a CA file that is not there',     'KeycloakCAFile', [@minimal, "KeycloakCAFile $dir/absent"]],
    (map { ["algorithm $_", 'KeycloakAlgorithms', [@minimal, "KeycloakAlgorithms $_"]] } 'HS256', 'none', 'RS256 HS512', 'XY', 'rs256'),
    (map { ["a time that is none: $_", 'KeycloakHTTPTimeout', [@minimal, "KeycloakHTTPTimeout $_"]] } '5x', '-1', '""', '1e3', '99999999999999999999', 's'),
    (map { ["a time that is none: $_", 'KeycloakSessionMax', [@minimal, "KeycloakSessionMax $_"]] } 'x', '-5m'),
    (map { ["a size that is none: $_", 'KeycloakCacheSize', ["KeycloakCacheSize $_"]] } 'x', '-1M', '5Q', '99999999999G'),
    ['a flag that is none',             'KeycloakVerifiedEmail', [@minimal, 'KeycloakVerifiedEmail maybe']],
    ['a prefix without its slashes',    'KeycloakPrefix', [@minimal, 'KeycloakPrefix authservice']],
    ['a public URL with a path',        'KeycloakPublicURL', [@minimal, 'KeycloakPublicURL https://kubeflow.example.com/x']],
    ['a public URL that is none',       'KeycloakPublicURL', [@minimal, 'KeycloakPublicURL kubeflow.example.com']],
    ['a redirect URI that is none',     'KeycloakRedirectURI', [@minimal, 'KeycloakRedirectURI /callback']],
    ['an authorization URL that is none', 'KeycloakAuthURL', [@minimal, 'KeycloakAuthURL javascript:alert(1)']],
    ['an authorization path of another host', 'KeycloakAuthURL', [@minimal, 'KeycloakAuthURL //evil.example.com/']],
    ['a header name with a space',      'KeycloakHeader', [@minimal, 'KeycloakHeader "X A" name']],
    ['a header name with a colon',      'KeycloakHeader', [@minimal, 'KeycloakHeader X-A: name']],
    ['a header without a claim',        'KeycloakHeader', [@minimal, 'KeycloakHeader X-A']],
    ['a user header that is none',      'KeycloakUserHeader', [@minimal, 'KeycloakUserHeader "a b"']],
    ['an expression that is none',      'KeycloakUserTransform', [@minimal, 'KeycloakUserTransform "(" x']],
    ['a transformation that is none',   'KeycloakUserTransform', [@minimal, 'KeycloakUserTransform upper']],
    ['a proxy address that is none',    'KeycloakTrustedProxy', [@minimal, 'KeycloakTrustedProxy proxy.example.com/33']],
    ['a proxy network that is none',    'KeycloakTrustedProxy', [@minimal, 'KeycloakTrustedProxy 10.0.0.0/33']],
    ['a memcached port that is none',   'KeycloakMemcached', [@minimal, 'KeycloakMemcached 127.0.0.1:99999']],
    ['an endpoint origin that is none', 'KeycloakEndpointOrigins', [@minimal, 'KeycloakEndpointOrigins login.example.com']],
    ['a cookie name with a space',      'KeycloakCookie', [@minimal, 'KeycloakCookie "a b"']],
    ['a cookie name with a semicolon',  'KeycloakCookie', [@minimal, 'KeycloakCookie a;b']],
    ['103 __Host- where http is configured', 'KeycloakCookie', [@minimal, 'KeycloakPublicURL http://localhost', 'KeycloakCookie __Host-x'], 'any'],
    ['103 __Host- where a Domain is configured', 'KeycloakCookie', [@minimal, 'KeycloakCookieDomain example.com', 'KeycloakCookie __Host-x'], 'any'],
    ['103 __Secure- where http is configured', 'KeycloakCookie', [@minimal, 'KeycloakPublicURL http://localhost', 'KeycloakCookie __Secure-x'], 'any'],
    ['SameSite that is none',           'KeycloakCookieSameSite', [@minimal, 'KeycloakCookieSameSite Often']],
    ['a cookie domain that is none',    'KeycloakCookieDomain', [@minimal, 'KeycloakCookieDomain "example.com; Path=/x"']],
    ['a public path without a slash',   'KeycloakPublicPath', [@minimal, 'KeycloakPublicPath open']],
    ['KeycloakUnauth that is none',     'KeycloakUnauth', [@minimal, '<Location />', 'KeycloakUnauth open'], 0],
    ['a secret in a folder',            'KeycloakClientSecret', [@realm, '<Location />', "KeycloakClientSecret $secret"], 0],
    ['an issuer in a folder',           'KeycloakIssuer', ['<Location />', 'KeycloakIssuer http://127.0.0.1:1/realms/x'], 0],
    ['a role that is none',             'keycloak-role', [@minimal, '<Location />', 'AuthType Keycloak', 'Require keycloak-role'], 0],
    ['a client role without its client', 'keycloak-client-role', [@minimal, '<Location />', 'AuthType Keycloak', 'Require keycloak-client-role editor'], 0],
    ['a claim without an operator',     'keycloak-claim', [@minimal, '<Location />', 'AuthType Keycloak', 'Require keycloak-claim a'], 0],
    ['a claim with an odd operator',    'keycloak-claim', [@minimal, '<Location />', 'AuthType Keycloak', 'Require keycloak-claim a is b'], 0],
    ['an expression in a claim that is none', 'keycloak-claim', [@minimal, '<Location />', 'AuthType Keycloak', 'Require keycloak-claim a matches "("'], 0],
    ['too few arguments',               'KeycloakIssuer', ['KeycloakIssuer']],
    ['117 trailers that become headers', 'MergeTrailers', [@minimal, 'MergeTrailers On'], 'any'],
    ['too many arguments',              'KeycloakClientID', ['KeycloakClientID a b']],
);
for my $row (@bad) {
    my ($name, $directive, $lines, $where) = @$row;
    my @lines = @$lines;
    my $line = $first + $#lines;
    push @lines, '</Location>' if grep { $_ eq '<Location />' } @lines;
    my ($accepted, $said, $path) = check(@lines);
    subtest "refused: $name" => sub {
        ok !$accepted, 'httpd -t fails' or diag "accepted\n$said";
        like $said, qr/\Q$directive\E/, "the message names $directive" or diag $said;
        my $number = defined $where && $where eq 'any' ? '\d+' : $line;
        like $said, qr/(?:line |\Q$path\E:)$number\b/, "and line $number";
        unlike $said, qr/\Q$secret\E|k{31}/, 'and tells no secret';
    };
}

# ---- 189: .htaccess

subtest '189 .htaccess cannot weaken' => sub {
    my $in = signed_in('plain') or return fail 'signing in';
    for my $line ('KeycloakIssuer http://127.0.0.1:1/realms/x', 'KeycloakVerifiedEmail off', 'KeycloakUserHeader X-Other', 'KeycloakPublicPath /local') {
        mkdir "$room/t/htdocs/local/guarded";
        open my $file, '>', "$room/t/htdocs/local/guarded/.htaccess" or die ".htaccess: $!";
        print $file "$line\n";
        close $file;
        my $response = browser('htaccess')->get('/local/guarded/');
        ok $response->status == 500 || asked_to_sign_in($response, 'htaccess'), "$line: no way in" or diag $response->text;
    }
};

# ---- 190, 191: logs

subtest '190 no secret in any log at the highest level' => sub {
    my $site = 'canary';
    my $realm = realm($site);
    my @secrets = (['client secret', 'canary-client-secret-5d1e']);
    my $add = sub { my ($name, $value) = @_; push @secrets, [$name, $value] if defined $value && length $value > 15; return };
    open my $key, '<', "$room/crypto.key" or die "crypto.key: $!";
    chomp(my $text = <$key>);
    $add->('crypto key', $text);

    my $round = sub {
        my ($what, $use) = @_;
        my $browser = browser($site);
        my $location = $browser->start("/page/$what");
        my $query = query_of($location);
        $add->($_, $query->{$_}) for qw(state nonce code_challenge);
        $add->('login cookie', $_) for values %{ $browser->jar };
        my $back = $browser->authorize($location);
        $add->($_, query_of($back)->{$_}) for qw(code session_state);
        $use->($browser, $back);
        $add->('session id', $browser->session);
        return $browser;
    };
    my $in = $round->('sound', sub { $_[0]->get($_[1]) });
    is identity($in->seen), 'alice@example.com', 'signed in';
    $in->get('/x', Authorization => 'Bearer canary-bearer-token-9a2b');
    $add->('bearer', 'canary-bearer-token-9a2b');
    $in->get('/x?token=canary-query-token-4c6d');
    $add->('query', 'canary-query-token-4c6d');
    $in->api('/x');
    browser($site)->api('/x?token=canary-query-token-4c6d');
    browser($site)->get('/x?token=canary-query-token-4c6d');
    browser($site)->get('/x', Cookie => 'keycloak_session=canary-cookie-3f3f');
    $add->('foreign cookie', 'canary-cookie-3f3f');
    $round->('again', sub { my ($browser, $back) = @_; $browser->get($back); $browser->get($back) });
    $round->('stranger', sub { browser($site)->get($_[1]) });
    $round->('error', sub { my ($browser, $back) = @_; $browser->get($back =~ s/code=/error=access_denied&code_=/r) });
    for my $change (
        { id_token => { shape => 'flipped_signature' } }, { id_token => { nonce_of => 'other' } }, { id_token => { set => { aud => 'x' } } },
        { id_token => { payload => 'canary-payload-8e8e' } }, { token_response => { delete => ['id_token'] } },
        { faults => { token => { kind => 'status', status => 500, body => 'canary-answer-body-1d1d' } } },
        { faults => { token => { kind => 'html' } } }, { client => { secret => 'another one' } },
    ) {
        $realm->set(%$change);
        $round->('refused', sub { $_[0]->get($_[1]) });
        $realm->reset;
    }
    for my $entry ($realm->log('token')) {
        $add->('verifier', Keycloak::Realm::param($entry, 'code_verifier'));
        $add->('client authentication', (Keycloak::Realm::header($entry, 'Authorization') // '') =~ s/^Basic //r);
        $add->($_, $entry->{answer}{$_}) for qw(id_token access_token refresh_token);
        $add->("$_ signature", ($entry->{answer}{$_} // '') =~ s/.*\.//r) for qw(id_token access_token);
    }
    $in->get('/authservice/logout');
    cmp_ok scalar(@secrets), '>', 80, 'there are secrets to look for: ' . @secrets;

    # What mod_ssl dumps of its connections at trace levels is its administrator's choice.
    my @lines = grep { !/\[ssl:trace\d\]/ } split /\n/, error_log('canary_log');
    cmp_ok scalar(grep { /\[auth_keycloak:/ } @lines), '>', 10, 'the module has logged something';
    push @lines, grep { /\[auth_keycloak:/ } split /\n/, error_log();
    my @own = grep { /\[auth_keycloak:/ } @lines;
    my %found;
    for my $row (@secrets) {
        my ($name, $value) = @$row;
        for my $spelling ($value, escape($value)) {
            # The query of a page is the application's: other modules may tell it, we may not.
            my ($line) = grep { index($_, $spelling) >= 0 } $name eq 'query' ? @own : @lines;
            $found{"$name: " . substr $line, 0, 240} = 1 if defined $line;
        }
    }
    is join("\n", sort keys %found), '', 'none of them is in a log';
    is scalar(grep { /[?&](?:code|state|return)=|id_token_hint/ } @own), 0, 'nor any query string'
        or diag join "\n", grep { /[?&](?:code|state|return)=|id_token_hint/ } @own;
};

subtest '191 CR, LF, ESC are escaped in the log' => sub {
    my $mark = log_mark();
    my $site = 'plain';
    my $forged = "\r\n[auth_keycloak:error] forged line \e[31m\x{7}";
    for my $change (
        { user => { sub => "x$forged" } }, { user => { email => "x$forged" } }, { id_token => { set => { iss => "x$forged" } } },
        { id_token => { header => { kid => "x$forged" } } }, { id_token => { header => { alg => "x$forged" } } },
        { faults => { token => { kind => 'body', body => JSON::PP::encode_json({ error => "x$forged", error_description => $forged }) } } },
        { faults => { token => { kind => 'status', status => 400, body => JSON::PP::encode_json({ error => 'invalid_grant', error_description => $forged }) } } },
    ) {
        realm($site)->set(%$change);
        isnt browser($site)->sign_in('/')->status, 303, 'refused';
        realm($site)->reset;
    }
    my $browser = browser($site);
    my $back = $browser->authorize($browser->start('/'));
    $browser->get(($back =~ s/code=[^&]+/error=access_denied/r) . '&error_description=' . escape($forged));
    $browser->get('/authservice/' . escape($forged));
    my $log = log_since($mark);
    unlike $log, qr/[\x00-\x08\x0b-\x1f\x7f]/, 'no control character';
    unlike $log, qr/^\[auth_keycloak:error\] forged/m, 'no forged line';
};

subtest 'one tagged line for each failed request' => sub {
    my $mark = log_mark();
    realm('plain')->set(id_token => { shape => 'flipped_signature' });
    my $response = browser('plain')->sign_in('/');
    realm('plain')->reset;
    my @lines = grep { /\[auth_keycloak:\w+\]/ && /KC0405/ } split /\n/, log_since($mark);
    is scalar(@lines), 1, 'KC0405 once' or diag join "\n", @lines;
};

done_testing;
