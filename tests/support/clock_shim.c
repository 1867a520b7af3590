/* Preloaded, shifts the clocks of one process: CLOCK_FILE holds the seconds for CLOCK_REALTIME and for CLOCK_BOOTTIME. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *shift;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CLOCK_FILE");
    int fd = path ? open(path, O_RDONLY) : -1;
    void *map = fd < 0 ? MAP_FAILED : mmap(0, 16, PROT_READ, MAP_SHARED, fd, 0);
    shift = map == MAP_FAILED ? 0 : map;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int status = (int)syscall(SYS_clock_gettime, id, now);
    if (status == 0 && shift) {
        if (id == CLOCK_REALTIME)
            now->tv_sec += shift[0];
        else if (id == CLOCK_BOOTTIME)
            now->tv_sec += shift[1];
    }
    return status;
}
