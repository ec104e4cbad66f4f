// Test code: makes NSS softokn loadable like any PKCS#11 module. Softokn insists
// on a parameter string in C_Initialize's reserved member; the shim hands out
// softokn's own functions with a C_Initialize that supplies it, from the
// environment (KURA_TEST_SOFTOKN_PARAMETERS).
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long rv;
typedef struct { unsigned char major, minor; void *function[68]; } functions;
typedef struct { void *create, *destroy, *lock, *unlock; unsigned long flags; char **parameters; void *reserved; } arguments;

static functions list;
static rv (*initialize)(void *);

static rv with_parameters(void *given) {
	arguments args;
	(void)given;
	memset(&args, 0, sizeof args);
	args.flags = 2; // CKF_OS_LOCKING_OK
	args.parameters = (char **)getenv("KURA_TEST_SOFTOKN_PARAMETERS");
	return initialize(&args);
}

rv C_GetFunctionList(functions **out) {
	functions *real = NULL;
	void *library = dlopen("libsoftokn3.so", RTLD_NOW);
	rv (*get)(functions **) = library ? (rv (*)(functions **))dlsym(library, "C_GetFunctionList") : NULL;
	if (get == NULL || get(&real) != 0) return 5;
	list = *real;
	initialize = (rv (*)(void *))real->function[0];
	list.function[0] = (void *)with_parameters;
	*out = &list;
	return 0;
}
