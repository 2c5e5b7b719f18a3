/* The same as ../main.go, in C: start, keep, child and say, by the name it is called by. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static sigset_t none, blocked;

static int start(const char *pidfile)
{
	int verdict[2], sig, n;
	char text[32], c = 1;
	pid_t pid;
	if (pipe2(verdict, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return 2;
	if (pid > 0) {
		close(verdict[1]);
		return read(verdict[0], &c, 1) == 1 ? c : 1;
	}
	setsid();
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	int fd = open(pidfile, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
		write(verdict[1], &c, 1);
		return 1;
	}
	n = snprintf(text, sizeof text, "%d\n", (int)getpid());
	ftruncate(fd, 0);
	write(fd, text, n);
	c = 0;
	write(verdict[1], &c, 1);
	close(verdict[0]);
	close(verdict[1]);
	sigwait(&blocked, &sig);
	unlink(pidfile);
	return 0;
}

static const char *child, *dir;
static pid_t *pids;
static int *files, poller;

static int spawn(int i)
{
	int out[2];
	char name[16], path[4096];
	snprintf(name, sizeof name, "p%d", i);
	if (dir && (pipe2(out, O_CLOEXEC) < 0 || (files[out[0]] = snprintf(path, sizeof path, "%s/%s", dir, name)) < 0 ||
		    (files[out[0]] = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0))
		exit(1);
	const char *argv[] = { child, name, NULL };
	pid_t pid = vfork();
	if (pid == 0) {
		if (dir)
			dup2(out[1], 1);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execv(child, (char **)argv);
		_exit(127);
	}
	if (dir) {
		struct epoll_event ev = { .events = EPOLLIN, .data.fd = out[0] };
		close(out[1]);
		epoll_ctl(poller, EPOLL_CTL_ADD, out[0], &ev);
	}
	pids[i] = pid;
	return pid;
}

static int keep(int n)
{
	static char buf[65536];
	struct epoll_event ev = { .events = EPOLLIN }, got[256];
	int left = n, stopping = 0, *of = calloc(1 << 22, sizeof *of); /* which one a PID is */
	pids = calloc(n, sizeof *pids);
	files = calloc(1 << 16, sizeof *files);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	poller = epoll_create1(EPOLL_CLOEXEC);
	int signals = ev.data.fd = signalfd(-1, &blocked, SFD_CLOEXEC);
	epoll_ctl(poller, EPOLL_CTL_ADD, signals, &ev);
	for (int i = 0; i < n; i++)
		of[spawn(i)] = i;
	while (left > 0) {
		int k = epoll_wait(poller, got, 256, -1);
		for (int j = 0; j < k; j++) {
			int fd = got[j].data.fd;
			struct signalfd_siginfo info;
			if (fd != signals) {
				ssize_t size = read(fd, buf, sizeof buf);
				if (size > 0 && write(files[fd], buf, size) == size)
					continue;
				close(files[fd]);
				close(fd);
				continue;
			}
			if (read(signals, &info, sizeof info) == sizeof info && info.ssi_signo == SIGTERM) {
				stopping = 1;
				for (int i = 0; i < n; i++)
					kill(pids[i], SIGTERM);
			}
			for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;)
				if (stopping)
					left--;
				else
					of[spawn(of[pid])] = of[pid];
		}
	}
	return 0;
}

static void announce(const char *self, const char *name)
{
	char text[4096];
	int fd, n = strrchr(self, '/') - self;
	snprintf(text, sizeof text, "%.*s/fifo", n, self);
	if ((fd = open(text, O_WRONLY | O_CLOEXEC)) < 0)
		return;
	n = snprintf(text, sizeof text, "%s %d\n", name, (int)getpid());
	write(fd, text, n);
	close(fd);
}

static int say(void)
{
	char line[201];
	struct timespec next;
	clock_gettime(CLOCK_MONOTONIC, &next);
	memset(line, 'x', sizeof line);
	for (int i = 1;; i++) {
		snprintf(line, sizeof line, "%07d", i);
		line[7] = ' ';
		line[199] = '\n';
		if (write(1, line, 200) != 200)
			return 1;
		if ((next.tv_nsec += 1000000000 / 240) >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
}

int main(int argc, char **argv)
{
	const char *mode = strrchr(argv[0], '/');
	sigemptyset(&none);
	sigemptyset(&blocked);
	if (!mode || argc < 2)
		return 2;
	if (!strcmp(mode, "/start"))
		return start(argv[1]);
	if (!strcmp(mode, "/keep") && argc > 2) {
		child = argv[2];
		dir = argv[3];
		return keep(atoi(argv[1]));
	}
	announce(argv[0], argv[1]);
	if (!strcmp(mode, "/say"))
		return say();
	for (;;)
		pause();
}
