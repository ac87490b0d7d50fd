/* A disk that fails when it is told to: preloaded between a program and the C library, it sees every call that changes a file, HDF5's
 * too. Only files below FAULT_FOLDER count. The calls FAULT_AT and the FAULT_LASTS - 1 after it fail as FAULT_KIND says:
 *
 *   eio, enospc  with that error
 *   short        writes take half of what they are given, and say so
 *   kill         the process is gone, in the middle of a write
 *   slow         all syncs take FAULT_MS milliseconds more
 *
 * FAULT_REPORT names a file that says at the end how many calls there were. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static atomic_long calls;
static const char *folder, *kind = "";
static long at = -1, lasts = 1, ms;

__attribute__((constructor)) static void begin(void)
{
    const char *text;
    folder = getenv("FAULT_FOLDER");
    if ((text = getenv("FAULT_KIND"))) kind = text;
    if ((text = getenv("FAULT_AT"))) at = atol(text);
    if ((text = getenv("FAULT_LASTS"))) lasts = atol(text);
    if ((text = getenv("FAULT_MS"))) ms = atol(text);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((destructor)) static void end(void)
{
    const char *report = getenv("FAULT_REPORT");
    if (!report) return;
    char text[32];
    int fd = REAL(open)(report, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) return;
    (void)!REAL(write)(fd, text, snprintf(text, sizeof text, "%ld\n", atomic_load(&calls)));
    close(fd);
}

static int ours(const char *path)
{
    return folder && path && strncmp(path, folder, strlen(folder)) == 0;
}

static int ours_fd(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len <= 0) return 0;
    path[len] = 0;
    return ours(path);
}

/* Whether this call is to fail. */
static int turn(void)
{
    long call = atomic_fetch_add(&calls, 1);
    return call >= at && at >= 0 && call < at + lasts;
}

static int is(const char *what) { return strcmp(kind, what) == 0; }

/* Sets errno, or ends the process; 0 where calls like this one are spared. */
static int fails(void)
{
    if (is("kill")) raise(SIGKILL);
    if (is("eio")) return errno = EIO;
    if (is("enospc")) return errno = ENOSPC;
    return 0;
}

static void wait_a_while(void)
{
    struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
    if (is("slow")) nanosleep(&time, NULL);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    if (!ours_fd(fd) || !turn()) return REAL(write)(fd, bytes, len);
    if (is("kill")) (void)!REAL(write)(fd, bytes, len / 2);
    if (fails()) return -1;
    return REAL(write)(fd, bytes, len > 1 ? len / 2 : len);
}

static ssize_t write_at(int fd, const void *bytes, size_t len, off64_t offset)
{
    if (!ours_fd(fd) || !turn()) return REAL(pwrite64)(fd, bytes, len, offset);
    if (is("kill")) (void)!REAL(pwrite64)(fd, bytes, len / 2, offset);
    if (fails()) return -1;
    return REAL(pwrite64)(fd, bytes, len > 1 ? len / 2 : len, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset) { return write_at(fd, bytes, len, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset) { return write_at(fd, bytes, len, offset); }

int fsync(int fd)
{
    if (!ours_fd(fd)) return REAL(fsync)(fd);
    wait_a_while();
    return turn() && fails() ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
    if (!ours_fd(fd)) return REAL(fdatasync)(fd);
    wait_a_while();
    return turn() && fails() ? -1 : REAL(fdatasync)(fd);
}

int ftruncate(int fd, off_t len) { return ours_fd(fd) && turn() && fails() ? -1 : REAL(ftruncate)(fd, len); }
int ftruncate64(int fd, off64_t len) { return ours_fd(fd) && turn() && fails() ? -1 : REAL(ftruncate64)(fd, len); }
int rename(const char *from, const char *to) { return ours(to) && turn() && fails() ? -1 : REAL(rename)(from, to); }
int unlink(const char *path) { return ours(path) && turn() && fails() ? -1 : REAL(unlink)(path); }
int mkdir(const char *path, mode_t mode) { return ours(path) && turn() && fails() ? -1 : REAL(mkdir)(path, mode); }

#define OPEN(name)                                                                              \
    int name(const char *path, int flags, ...)                                                  \
    {                                                                                           \
        va_list rest;                                                                           \
        va_start(rest, flags);                                                                  \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                 \
        va_end(rest);                                                                           \
        return flags & O_CREAT && ours(path) && turn() && fails() ? -1 : REAL(name)(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
