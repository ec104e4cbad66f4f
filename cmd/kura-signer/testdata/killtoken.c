// A library that tests preload into kura-signer: it kills the process with SIGKILL right before a call by which SoftHSM
// changes the token's files, so inside C_Login, C_GenerateKeyPair, C_GenerateKey or C_DestroyObject.
//
// The file that KURA_KILL_TOKEN names arms it. It holds the number of the call to die at, 0 for none, and behind it the
// library writes one dot for every call since.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void changes(void) {
	const char *path = getenv("KURA_KILL_TOKEN");
	char text[4096];
	int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_APPEND) : -1;
	if (fd < 0)
		return;
	ssize_t n = read(fd, text, sizeof text - 1);
	text[n < 0 ? 0 : n] = 0;
	char *rest;
	long wanted = strtol(text, &rest, 10);
	if (wanted > 0 && (long)strlen(rest) + 1 == wanted)
		kill(getpid(), SIGKILL);
	if (write(fd, ".", 1) != 1)
		abort();
	close(fd);
}

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

int open(const char *path, int flags, ...) {
	mode_t mode = 0;
	if (flags & O_CREAT) {
		va_list more;
		va_start(more, flags);
		mode = va_arg(more, mode_t);
		va_end(more);
	}
	if (flags & (O_CREAT | O_TRUNC))
		changes();
	return ((int (*)(const char *, int, ...))next("open"))(path, flags, mode);
}

int fflush(FILE *file) {
	changes();
	return ((int (*)(FILE *))next("fflush"))(file);
}

// fclose writes out the file that SoftHSM has emptied. It counts where KURA_KILL_AT_CLOSE is set.
int fclose(FILE *file) {
	int flags = getenv("KURA_KILL_AT_CLOSE") ? fcntl(fileno(file), F_GETFL) : -1;
	if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY)
		changes();
	return ((int (*)(FILE *))next("fclose"))(file);
}

int ftruncate(int fd, off_t length) {
	changes();
	return ((int (*)(int, off_t))next("ftruncate"))(fd, length);
}

int remove(const char *path) {
	changes();
	return ((int (*)(const char *))next("remove"))(path);
}
