#!/usr/bin/perl
# requests.pl PORT OUT: asks for / until it gets TERM, each time on a new connection,
# and each time too on one that it has had since it began. OUT is always the account:
# how many were answered, how many were not, and why the last of those was not.
use strict;
use warnings;
use IO::Socket::INET;

my ($port, $out) = @ARGV;
my ($answered, $failed, $why, $over) = (0, 0, '', 0);
$SIG{TERM} = sub { $over = 1 };
$SIG{PIPE} = 'IGNORE';

sub connection {
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp') || die "connect: $@\n";
}

# ask leaves the connection as it was before.
sub ask {
	my ($socket) = @_;
	print $socket "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" or die "send: $!\n";
	$socket->flush or die "send: $!\n";
	my ($status, $length) = ('', 0);
	while (1) {
		my $line = <$socket>;
		defined $line or die "the answer is cut short: $!\n";
		$line =~ s/\r\n$//;
		last if $line eq '';
		$status ||= $line;
		$length = $1 if $line =~ /^Content-Length: (\d+)/i;
	}
	$status =~ m{^HTTP/1.1 200 } or die "$status\n";
	read($socket, my $body, $length) == $length or die "the answer is cut short: $!\n";
}

sub account {
	my ($what) = @_;
	if (eval { $what->(); 1 }) { $answered++ }
	else { $failed++; chomp($why = $@) }
	open(my $file, '>', "$out.new") or die "$out.new: $!\n";
	print $file "$answered answered, $failed failed $why\n";
	close($file) or die "$out.new: $!\n";
	rename("$out.new", $out) or die "$out: $!\n";
}

my $kept = connection();
until ($over) {
	account(sub { ask(connection()) });
	account(sub { ask($kept) });
	select(undef, undef, undef, 0.005);
}
