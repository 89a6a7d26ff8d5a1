# SPDX-License-Identifier: Apache-2.0
# Loopback TCP ports for what a test starts: free_ports(COUNT).
package Keycloak::Ports;
use strict;
use warnings;
use Exporter 'import';
use IO::Socket::INET;
use IO::Socket::UNIX;

our @EXPORT = qw(free_ports);

use constant { FIRST => 10_000, COUNT => 20_000 };    # below those that the system gives to outgoing connections

my @reserved;

# Ports that nobody listens on now, and that no other test is given until this process ends: every test of the project
# takes a port's name (a socket without a file) first.
sub free_ports {
    my $wanted = shift;
    my @ports;
    for my $number (1 .. 5 * COUNT) {
        my $port = FIRST + int rand COUNT;
        my $name = IO::Socket::UNIX->new(Local => "\0keycloak-test-port-$port", Listen => 1) or next;
        my $probe = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $port, ReuseAddr => 1) or next;
        close $probe;
        push @reserved, $name;
        push @ports, $port;
        return @ports if @ports == $wanted;
    }
    die "no free port\n";
}

1;
