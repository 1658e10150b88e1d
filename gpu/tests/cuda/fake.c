// A stand-in for the CUDA driver: device memory is the host's, and two kernels are known by name. Every call goes to
// LOG, so that a test sees what was asked. Built by the tests with what they want to see:
//   VERSION     what the driver speaks            CAPABILITY  10 * major + minor
//   FREE        free bytes                        DEVICES     how many there are
//   ELAPSED     milliseconds between two events; `measured` counts how often it was asked
//   FAULT       what every wait answers once a graph was launched (700: an illegal address; 600: it never ends)
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL(name)                                                                                                  \
    do {                                                                                                            \
        FILE *log = fopen(LOG, "a");                                                                                \
        if (log) fprintf(log, "%s\n", name), fclose(log);                                                           \
    } while (0)
#define PLAIN(name, ...) int name(__VA_ARGS__) { CALL(#name); return 0; }

typedef uint64_t handle;
static int launched, measured;
static int waiting(void) { return launched ? FAULT : 0; }

int cuInit(unsigned flags) { CALL("cuInit"); return flags; }
int cuDriverGetVersion(int *version) { *version = VERSION; return 0; }
int cuGetErrorName(int status, const char **name) {
    *name = status == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR";
    return 0;
}
int cuGetErrorString(int status, const char **words) {
    *words = status == 700 ? "an illegal memory access was encountered" : "an error";
    return 0;
}
int cuDeviceGetCount(int *count) { *count = DEVICES; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
int cuDeviceGetName(char *name, int length, int device) { return snprintf(name, length, "Fake %d", device) < 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = FREE; return device < 0; }
int cuDeviceGetPCIBusId(char *id, int length, int device) { return snprintf(id, length, "0000:0%d:00.0", device) < 0; }
int cuDeviceGetAttribute(int *value, unsigned which, int device) {
    *value = which == 75 ? CAPABILITY / 10 : which == 76 ? CAPABILITY % 10 : which == 10 ? 32 : 1024;
    return device < 0;
}
int cuDevicePrimaryCtxRetain(handle *context, int device) { CALL("cuDevicePrimaryCtxRetain"); *context = 1; return device < 0; }
PLAIN(cuDevicePrimaryCtxRelease_v2, int device)
PLAIN(cuCtxSetCurrent, handle context)
int cuMemGetInfo_v2(size_t *free, size_t *total) { *free = *total = FREE; return 0; }
int cuMemAlloc_v2(handle *at, size_t length) { CALL("cuMemAlloc"); *at = (handle)malloc(length); return *at ? 0 : 2; }
int cuMemFree_v2(handle at) { CALL("cuMemFree"); free((void *)at); return 0; }
int cuMemHostAlloc(void **at, size_t length, unsigned flags) { *at = malloc(length); return flags; }
int cuMemFreeHost(void *at) { CALL("cuMemFreeHost"); free(at); return 0; }
int cuMemcpyHtoDAsync_v2(handle to, const void *from, size_t length, handle stream) {
    CALL("cuMemcpyHtoD");
    return !memcpy((void *)to, from, length);
}
int cuMemcpyDtoHAsync_v2(void *to, handle from, size_t length, handle stream) {
    CALL("cuMemcpyDtoH");
    return !memcpy(to, (void *)from, length);
}
int cuMemcpyDtoDAsync_v2(handle to, handle from, size_t length, handle stream) {
    CALL("cuMemcpyDtoD");
    return !memcpy((void *)to, (void *)from, length);
}
int cuMemsetD8Async(handle at, unsigned char byte, size_t length, handle stream) {
    CALL("cuMemsetD8");
    return !memset((void *)at, byte, length);
}
int cuStreamCreate(handle *stream, unsigned flags) { *stream = flags; return 0; }
PLAIN(cuStreamDestroy_v2, handle stream)
int cuStreamQuery(handle stream) { return waiting(); }
int cuEventCreate(handle *event, unsigned flags) { *event = 1; return flags; }
PLAIN(cuEventDestroy_v2, handle event)
int cuEventRecord(handle event, handle stream) { return 0; }
int cuEventQuery(handle event) { return waiting(); }
int cuEventElapsedTime(float *milliseconds, handle start, handle end) {
    *milliseconds = ELAPSED;
    measured++;
    return 0;
}

// A module is its text, a kernel its name.
int cuModuleLoadDataEx(handle *module, const void *image, unsigned count, unsigned *options, void **values) {
    CALL("cuModuleLoadDataEx");
    if (strstr(image, ".version 99")) return 222;
    *module = (handle)strdup(image);
    return 0;
}
int cuModuleUnload(handle module) { CALL("cuModuleUnload"); free((void *)module); return 0; }
int cuModuleGetFunction(handle *kernel, handle module, const char *name) {
    *kernel = (handle)(strcmp(name, "changed_pages") == 0 ? "changed_pages" : "store");
    return strstr((char *)module, name) ? 0 : 500;
}
int cuFuncGetAttribute(int *value, unsigned which, handle kernel) { *value = which == 0 ? 1024 : 0; return 0; }
int cuFuncSetAttribute(handle kernel, unsigned which, int value) { CALL("cuFuncSetAttribute"); return 0; }

struct node { const char *kernel; unsigned grid[3], workgroup[3], bytes; void **parameters; };
static struct { const char *kernel; uint64_t at, words, marks; uint32_t value; } graph[1 << 15];
static int nodes;
int cuGraphCreate(handle *made, unsigned flags) { *made = 1; nodes = 0; return flags; }
int cuGraphAddKernelNode_v2(handle *made, handle of, const handle *before, size_t count, const struct node *node) {
    CALL("cuGraphAddKernelNode");
    if (count != (nodes > 0) || (count && *before != (handle)nodes)) return 1;
    graph[nodes].kernel = node->kernel;
    graph[nodes].at = *(uint64_t *)node->parameters[0];
    if (*node->kernel == 'c') { // changed_pages(data, words, pattern, marks)
        graph[nodes].words = *(uint64_t *)node->parameters[1];
        graph[nodes].value = *(uint32_t *)node->parameters[2];
        graph[nodes].marks = *(uint64_t *)node->parameters[3];
    } else { // store(at, value)
        graph[nodes].value = *(uint32_t *)node->parameters[1];
    }
    *made = ++nodes;
    return 0;
}
int cuGraphInstantiateWithFlags(handle *ready, handle made, unsigned long long flags) { *ready = 1; return flags; }
int cuGraphLaunch(handle ready, handle stream) {
    CALL("cuGraphLaunch");
    launched = 1;
    for (int i = 0; i < nodes; i++) {
        uint32_t *at = (uint32_t *)graph[i].at;
        if (*graph[i].kernel == 's') *at = graph[i].value;
        else for (uint64_t word = 0; word < graph[i].words; word++)
            if (at[word] != graph[i].value) ((uint32_t *)graph[i].marks)[word >> 14] = 1;
    }
    return 0;
}
PLAIN(cuGraphExecDestroy, handle ready)
PLAIN(cuGraphDestroy, handle made)
