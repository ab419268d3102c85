/* A CUDA driver without a GPU: device memory is the host's, FAIL names a call that runs out of memory. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef unsigned long long address;
static int done(const char *name) { const char *fail = getenv("FAIL"); return fail && !strcmp(fail, name) ? 2 : 0; }
#define PLAIN(symbol, name, ...) int symbol(__VA_ARGS__) { return done(name); }
#define MAKES(symbol, name, ...) int symbol(void **made, __VA_ARGS__) { *made = malloc(8); return done(name); }
PLAIN(cuInit, "cuInit", unsigned f)
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return done("cuDeviceGet"); }
MAKES(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain", int d)
PLAIN(cuDevicePrimaryCtxRelease_v2, "cuDevicePrimaryCtxRelease", int d)
PLAIN(cuCtxSetCurrent, "cuCtxSetCurrent", void *c)
MAKES(cuStreamCreate, "cuStreamCreate", unsigned f)
PLAIN(cuStreamDestroy_v2, "cuStreamDestroy", void *s)
PLAIN(cuStreamSynchronize, "cuStreamSynchronize", void *s)
MAKES(cuEventCreate, "cuEventCreate", unsigned f)
PLAIN(cuEventDestroy_v2, "cuEventDestroy", void *e)
PLAIN(cuEventRecord, "cuEventRecord", void *e, void *s)
PLAIN(cuEventSynchronize, "cuEventSynchronize", void *e)
static int elapsed(float *ms) { *ms = 0.5f; return done("cuEventElapsedTime"); }
int cuEventElapsedTime(float *ms, void *a, void *b) { return elapsed(ms); }
int cuEventElapsedTime_v2(float *ms, void *a, void *b) { return elapsed(ms); }
int cuMemAlloc_v2(address *at, size_t n) { *at = (address)malloc(n); return done("cuMemAlloc"); }
PLAIN(cuMemFree_v2, "cuMemFree", address at)
int cuMemGetInfo_v2(size_t *left, size_t *total) { *left = *total = 1 << 30; return done("cuMemGetInfo"); }
int cuMemHostAlloc(void **at, size_t n, unsigned f) { *at = malloc(n); return done("cuMemHostAlloc"); }
PLAIN(cuMemFreeHost, "cuMemFreeHost", void *at)
int cuMemcpyHtoDAsync_v2(address to, const void *from, size_t n, void *s) { memcpy((void *)to, from, n); return done("cuMemcpyHtoDAsync"); }
int cuMemcpyDtoHAsync_v2(void *to, address from, size_t n, void *s) { memcpy(to, (void *)from, n); return done("cuMemcpyDtoHAsync"); }
PLAIN(cuStreamBeginCapture_v2, "cuStreamBeginCapture", void *s, int mode)
int cuStreamEndCapture(void *s, void **graph) { *graph = malloc(8); return done("cuStreamEndCapture"); }
int cuGraphInstantiateWithFlags(void **made, void *g, address f) { *made = malloc(8); return done("cuGraphInstantiate"); }
PLAIN(cuGraphDestroy, "cuGraphDestroy", void *g)
PLAIN(cuGraphExecDestroy, "cuGraphExecDestroy", void *g)
PLAIN(cuGraphLaunch, "cuGraphLaunch", void *g, void *s)
int cuGetProcAddress_v2(const char *name, void **at, int version, address flags, int *status) {
    char newer[200];
    void *self = dlopen("libcuda.so.1", RTLD_NOLOAD | RTLD_NOW);
    snprintf(newer, sizeof newer, "%s_v2", name);
    *at = !strcmp(name, "cuGraphInstantiate") ? dlsym(self, "cuGraphInstantiateWithFlags") : dlsym(self, newer);
    if (!*at) *at = dlsym(self, name);
    if (status) *status = *at ? 0 : 1;
    return *at ? 0 : 500;
}
