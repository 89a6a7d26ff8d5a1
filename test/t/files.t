# SPDX-License-Identifier: Apache-2.0
# Files of the settings that change while httpd runs: what is taken without a restart, and what the log says.
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::Server;
use Keycloak::World;

sub content { my $path = shift; open my $file, '<', $path or die "$path: $!\n"; local $/; return <$file> }

# put(NAME, TEXT, MODE): a file in the room whose name another one takes, as Kubernetes and editors do it.
sub put {
    my ($name, $text, $mode) = @_;
    my $path = "$ENV{KC_ROOM}/$name";
    open my $file, '>', "$path.next" or die "$path: $!\n";
    print $file $text;
    close $file or die "$path: $!\n";
    chmod $mode // 0600, "$path.next";
    rename "$path.next", $path or die "$path: $!\n";
    return $path;
}

# An httpd of four children, whose port browsers use from now on.
sub start {
    my ($name, @lines) = @_;
    my $server = Keycloak::Server->new($name, lines => \@lines, places => ['<Location /metrics>', 'SetHandler keycloak-metrics', 'Require all granted', '</Location>']);
    $ENV{KC_PORT} = $server->port;
    return $server;
}

sub lines { my ($server, $tag) = @_; return $server->log =~ /^.*$tag: .*$/mg }

sub says { my ($server, $line, $name) = @_; return ok wait_until(sub { $server->log =~ $line }), $name || diag $server->log }

# Sign-ins in a row that lead back to the page: at four children, all of them have had one very likely.
sub works { my ($site, $realm) = @_; return !grep { browser($site)->sign_in('/', realm => $realm)->status != 303 } 1 .. 8 }

# How many files are not in use, as each of many answers says: the children find out one after the other.
sub waiting_ok {
    my ($site, $count, $name) = @_;
    my $read = sub { browser($site)->get('/metrics')->body =~ /^mod_auth_keycloak_changed_files (\d+)$/m ? $1 : 'none' };
    return ok wait_until(sub { !grep { $read->() ne $count } 1 .. 16 }), $name;
}

sub becomes_ok { my ($what, $site) = @_; return ok wait_until(sub { works($site) }), $what }

subtest 'a client secret' => sub {
    my $path = put('files-secret.txt', "canary-client-secret-5d1e\n");
    my $server = start('files-secret', "KeycloakClientSecret file:$path");
    my $browser = signed_in('files-secret') or return fail 'signing in';
    realm('files-secret')->set(client => { secret => 'canary-second-77f0' });
    isnt $browser->get('/authservice/logout')->status, 500, 'signing out';
    is browser('files-secret')->sign_in('/')->tag, 'KC0309', 'the realm does not take the former one';
    put('files-secret.txt', "canary-second-77f0\n");
    becomes_ok 'people sign in by the new one', 'files-secret';
    is scalar(lines($server, 'KC0661')), 1, 'one line for all children' or diag $server->log;
    like $server->log, qr/\[auth_keycloak:notice\].*KC0661: KeycloakClientSecret: \Q$path\E has changed, and its new content is in use$/m, 'which names the file';
    $server->replace_children;
    ok works('files-secret'), 'children that start later have it at once';
    put('files-secret.txt', "\n");
    says $server, qr/\[auth_keycloak:warn\].*KC0662: KeycloakClientSecret: \Q$path\E has changed, and its former content stays in use: .*is empty/, 'an empty file is told';
    ok works('files-secret'), 'and not taken';
    unlike $server->log, qr/canary/, 'the log has no secret';
    is scalar(lines($server, 'KC0662')), 1, 'one line for all children';
    waiting_ok('files-secret', 1, 'the metrics count it');
    $server->stop;
};

subtest 'a file that the children may not read' => sub {
    my $path = put('files-closed.txt', "canary-client-secret-5d1e\n");
    my $server = start('files-closed', "KeycloakClientSecret file:$path");
    ok works('files-closed'), 'people sign in';
    put('files-closed.txt', "canary-third-0b3c\n", 0);
    says $server, qr/KC0662: KeycloakClientSecret: .*cannot read file \Q$path\E: Permission denied/, 'is told';
    ok works('files-closed'), 'and people go on with the former one';
    $server->stop;
};

subtest 'the certificates that Keycloak is checked by' => sub {
    my $good = content("$ENV{KC_ROOM}/ca.pem");
    my $path = put('files-ca.pem', $good);
    my $server = start('files-ca', "KeycloakIssuer $ENV{KC_TLS_PROVIDER}/realms/files-ca", "KeycloakCAFile $path");
    ok works('files-ca', 'tls:files-ca'), 'people sign in';
    put('files-ca.pem', content("$ENV{KC_ROOM}/client.pem"));
    ok wait_until(sub { !works('files-ca', 'tls:files-ca') }), 'another authority: no longer';
    says $server, qr/KC0661: KeycloakCAFile: /, 'which is told';
    put('files-ca.pem', $good);
    ok wait_until(sub { works('files-ca', 'tls:files-ca') }), 'the first one again: they do';
    $server->stop;
};

subtest 'a client certificate and its key' => sub {
    my %good = map { $_ => content("$ENV{KC_ROOM}/client.$_") } qw(key pem);
    my $key = put('files-pair.key', content("$ENV{KC_ROOM}/server.key"));
    my $certificate = put('files-pair.pem', content("$ENV{KC_ROOM}/server.pem"));
    realm('tls:files-pair')->set(client => { auth => 'tls_client_auth', secret => 'no longer used' });
    my $server = start('files-pair', "KeycloakIssuer $ENV{KC_TLS_PROVIDER}/realms/files-pair", "KeycloakCAFile $ENV{KC_ROOM}/ca.pem",
        'KeycloakClientAuth tls_client_auth', "KeycloakClientKey $key", "KeycloakClientCert $certificate");
    ok !works('files-pair', 'tls:files-pair'), 'the realm does not take this certificate';
    put('files-pair.pem', $good{pem});
    says $server, qr/KC0662: KeycloakClientKey: .*is not the key of KeycloakClientCert/, 'a certificate without its key is told';
    put('files-pair.key', $good{key});
    ok wait_until(sub { works('files-pair', 'tls:files-pair') }), 'both together are taken';
    $server->stop;
};

subtest 'a crypto key' => sub {
    my $path = put('files-key.txt', "canary-key-of-more-than-32-characters-1\n");
    my $server = start('files-key');
    $server->change('KeycloakCryptoKey .*', "KeycloakCryptoKey file:$path");
    $server->stop;
    $server->start;
    my $browser = signed_in('files-key') or return fail 'signing in';
    waiting_ok('files-key', 0, 'no file waits');
    put('files-key.txt', "canary-key-of-more-than-32-characters-2\n");
    says $server, qr/\[auth_keycloak:warn\].*KC0663: KeycloakCryptoKey: \Q$path\E has changed; the next graceful restart takes it$/m, 'a restart is asked for';
    ok $browser->get('/x')->from_backend, 'and sessions go on';
    waiting_ok('files-key', 1, 'the metrics count the file');
    $server->restart;
    ok asked_to_sign_in($browser->get('/x'), 'files-key'), 'the restart takes it';
    is scalar(lines($server, 'KC0663')), 1, 'one line for all children';
    waiting_ok('files-key', 0, 'no file waits any more');
    $server->stop;
};

done_testing;
