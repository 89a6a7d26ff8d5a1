# SPDX-License-Identifier: Apache-2.0
# A small memcached client, to look at what the module stores and to spoil it.
package Keycloak::Memcached;
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;

sub new { return bless {}, shift }

# Sends a command and reads until a line that ends its answer.
sub _ask {
    my ($self, $octets) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $ENV{KC_MEMCACHED_PORT}, Timeout => 60)
        or die "memcached: $!\n";
    print $socket $octets;
    my $answer = '';
    my $select = IO::Select->new($socket);
    while ($answer !~ /(?:^|\n)(?:END|STORED|DELETED|NOT_FOUND|(?:SERVER_|CLIENT_)?ERROR[^\n]*)\r\n\z/) {
        $select->can_read(60) or die "memcached does not answer\n";
        sysread $socket, $answer, 65536, length $answer or last;
    }
    close $socket;
    return $answer;
}

sub stat {
    my ($self, $name) = @_;
    return $self->_ask("stats\r\n") =~ /^STAT \Q$name\E (\S+)/m ? $1 : die "memcached counts no $name\n";
}

# By memcached's hash table: a listing by its LRU lists leaves out what was asked for in the last second or so, twice alike.
sub keys {
    my $self = shift;
    my $listing = $self->_ask("lru_crawler metadump hash\r\n");
    return sort map { s/%([0-9A-Fa-f]{2})/chr hex $1/ger } $listing =~ /^key=(\S+)/mg;
}

# Value and flags.
sub get {
    my ($self, $key) = @_;
    my ($flags, $length, $rest) = $self->_ask("get $key\r\n") =~ /^VALUE \S+ (\d+) (\d+)\r\n(.*)/s or return;
    return (substr($rest, 0, $length), $flags);
}

sub set {
    my ($self, $key, $value, $flags) = @_;
    my $length = length $value;
    my $answer = $self->_ask("set $key $flags 0 $length\r\n$value\r\n");
    die "memcached does not store $length octets: $answer\n" if $answer !~ /^STORED/;
    return;
}

sub delete { my ($self, $key) = @_; return $self->_ask("delete $key\r\n") }

1;
