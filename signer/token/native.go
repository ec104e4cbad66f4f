package token

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// The shapes of PKCS#11 2.40 on Unix (not packed), as far as they are used here.
typedef unsigned long kura_ulong;
typedef struct { unsigned char major, minor; void *function[68]; } kura_functions;
typedef struct { kura_ulong mechanism; void *parameter; kura_ulong length; } kura_mechanism;
typedef struct { kura_ulong type; void *value; kura_ulong length; } kura_attribute;
typedef struct {
	unsigned char *iv; kura_ulong iv_length, iv_bits;
	unsigned char *aad; kura_ulong aad_length, tag_bits;
} kura_gcm;

// Positions in CK_FUNCTION_LIST, which the standard fixes.
enum { INIT_TOKEN = 9, INIT_PIN = 10, LOGIN = 18, CREATE_OBJECT = 20, DECRYPT_INIT = 33, DECRYPT = 34, SIGN_INIT = 42, SIGN = 43 };

// The module stays loaded for the life of the process: modules start threads and
// register exit handlers, and unloading them is where processes crash.
static kura_functions *kura_load(const char *path, char *why, size_t room) {
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL) {
		strncpy(why, dlerror(), room - 1);
		return NULL;
	}
	kura_ulong (*get)(kura_functions **) = (kura_ulong (*)(kura_functions **))dlsym(library, "C_GetFunctionList");
	kura_functions *list = NULL;
	if (get == NULL || get(&list) != 0) return NULL;
	return list;
}

// What a module has done with a secret leaves it in vector registers that nothing uses for long (the C library copies
// through zmm16), and a signal that comes later has the kernel write them into Go's memory. So every call that is given
// a secret, or gives one, ends with this.
static kura_ulong kura_forget(kura_ulong rv) {
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx512f"))
		__asm__ volatile(".irp r,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\tvpxord %%zmm\\r,%%zmm\\r,%%zmm\\r\n\t.endr" :::);
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroall" ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
			"xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
#endif
	return rv;
}

static kura_ulong kura_login(kura_functions *f, kura_ulong session, kura_ulong user, unsigned char *pin, kura_ulong length) {
	return kura_forget(((kura_ulong (*)(kura_ulong, kura_ulong, unsigned char *, kura_ulong))f->function[LOGIN])(session, user, pin, length));
}

static kura_ulong kura_init_pin(kura_functions *f, kura_ulong session, unsigned char *pin, kura_ulong length) {
	return kura_forget(((kura_ulong (*)(kura_ulong, unsigned char *, kura_ulong))f->function[INIT_PIN])(session, pin, length));
}

static kura_ulong kura_init_token(kura_functions *f, kura_ulong slot, unsigned char *pin, kura_ulong length, unsigned char *label) {
	return kura_forget(((kura_ulong (*)(kura_ulong, unsigned char *, kura_ulong, unsigned char *))f->function[INIT_TOKEN])(slot, pin, length, label));
}

static kura_ulong kura_sign(kura_functions *f, kura_ulong session, kura_ulong kind, kura_ulong key,
	unsigned char *message, kura_ulong length, unsigned char *signature, kura_ulong *room) {
	kura_mechanism mechanism = {kind, NULL, 0};
	kura_ulong rv = ((kura_ulong (*)(kura_ulong, kura_mechanism *, kura_ulong))f->function[SIGN_INIT])(session, &mechanism, key);
	if (rv != 0) return rv;
	return ((kura_ulong (*)(kura_ulong, unsigned char *, kura_ulong, unsigned char *, kura_ulong *))f->function[SIGN])(session, message, length, signature, room);
}

static kura_ulong kura_decrypt(kura_functions *f, kura_ulong session, kura_mechanism *mechanism, kura_ulong key,
	unsigned char *sealed, kura_ulong length, unsigned char *into, kura_ulong *room) {
	kura_ulong rv = ((kura_ulong (*)(kura_ulong, kura_mechanism *, kura_ulong))f->function[DECRYPT_INIT])(session, mechanism, key);
	if (rv != 0) return rv;
	return kura_forget(((kura_ulong (*)(kura_ulong, unsigned char *, kura_ulong, unsigned char *, kura_ulong *))f->function[DECRYPT])(session, sealed, length, into, room));
}

static kura_ulong kura_decrypt_gcm(kura_functions *f, kura_ulong session, kura_ulong kind, kura_ulong key,
	unsigned char *iv, kura_ulong iv_length, unsigned char *aad, kura_ulong aad_length, kura_ulong tag_bits,
	unsigned char *sealed, kura_ulong length, unsigned char *into, kura_ulong *room) {
	kura_gcm parameter = {iv, iv_length, iv_length * 8, aad, aad_length, tag_bits};
	kura_mechanism mechanism = {kind, &parameter, sizeof parameter};
	return kura_decrypt(f, session, &mechanism, key, sealed, length, into, room);
}

static kura_ulong kura_decrypt_cbc(kura_functions *f, kura_ulong session, kura_ulong kind, kura_ulong key,
	unsigned char *iv, kura_ulong iv_length,
	unsigned char *sealed, kura_ulong length, unsigned char *into, kura_ulong *room) {
	kura_mechanism mechanism = {kind, iv, iv_length};
	return kura_decrypt(f, session, &mechanism, key, sealed, length, into, room);
}

// Attributes arrive flat (types, lengths, values one after another) because Go
// memory passed to C may hold no pointers; the secret stays where it is.
enum { MOST_ATTRIBUTES = 32 };
static kura_ulong kura_create_object(kura_functions *f, kura_ulong session, kura_ulong count,
	kura_ulong *types, kura_ulong *lengths, unsigned char *values,
	kura_ulong secret_type, unsigned char *secret, kura_ulong secret_length, kura_ulong *object) {
	kura_attribute attributes[MOST_ATTRIBUTES + 1];
	if (count > MOST_ATTRIBUTES) return 7; // CKR_ARGUMENTS_BAD
	for (kura_ulong i = 0; i < count; i++) {
		attributes[i] = (kura_attribute){types[i], lengths[i] ? values : NULL, lengths[i]};
		values += lengths[i];
	}
	attributes[count] = (kura_attribute){secret_type, secret, secret_length};
	return kura_forget(((kura_ulong (*)(kura_ulong, kura_attribute *, kura_ulong, kura_ulong *))f->function[CREATE_OBJECT])(session, attributes, count + 1, object));
}
*/
import "C"

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"github.com/miekg/pkcs11"
)

// native holds the few PKCS#11 calls that this package makes itself because they
// carry a secret: both bindings copy PINs, seeds and plaintexts into C memory and
// free it unwiped. Signing is here too: one crossing into C instead of three.
type native struct {
	functions *C.kura_functions
}

var (
	nativeMutex   sync.Mutex
	nativeModules = map[string]native{}
)

// loadNative loads the module at path, once per process.
func loadNative(path string) (native, error) {
	nativeMutex.Lock()
	defer nativeMutex.Unlock()
	if loaded, ok := nativeModules[path]; ok {
		return loaded, nil
	}
	name := append([]byte(path), 0)
	var why [512]byte
	functions := C.kura_load((*C.char)(unsafe.Pointer(&name[0])), (*C.char)(unsafe.Pointer(&why[0])), C.size_t(len(why)))
	if functions == nil {
		reason, _, _ := strings.Cut(string(why[:]), "\x00")
		return native{}, fmt.Errorf("load PKCS#11 module %s: %s", path, cmp.Or(reason, "it has no C_GetFunctionList that works"))
	}
	loaded := native{functions: functions}
	nativeModules[path] = loaded
	return loaded, nil
}

func (n native) login(session pkcs11.SessionHandle, user uint, pin *PIN) error {
	digits := pin.bytes()
	return result(C.kura_login(n.functions, C.kura_ulong(session), C.kura_ulong(user), bytesPointer(digits), C.kura_ulong(len(digits))))
}

func (n native) initPIN(session pkcs11.SessionHandle, pin *PIN) error {
	digits := pin.bytes()
	return result(C.kura_init_pin(n.functions, C.kura_ulong(session), bytesPointer(digits), C.kura_ulong(len(digits))))
}

func (n native) initToken(slot uint, soPIN *PIN, label [32]byte) error {
	digits := soPIN.bytes()
	return result(C.kura_init_token(n.functions, C.kura_ulong(slot), bytesPointer(digits), C.kura_ulong(len(digits)), bytesPointer(label[:])))
}

// sign runs C_SignInit and C_Sign and returns how many bytes of signature were written.
func (n native) sign(session pkcs11.SessionHandle, mechanism uint, key pkcs11.ObjectHandle, message, signature []byte) (int, error) {
	room := C.kura_ulong(len(signature))
	err := result(C.kura_sign(n.functions, C.kura_ulong(session), C.kura_ulong(mechanism), C.kura_ulong(key),
		bytesPointer(message), C.kura_ulong(len(message)), bytesPointer(signature), &room))
	return int(room), err
}

// decryptGCM opens sealed (ciphertext and tag) into locked memory.
func (n native) decryptGCM(session pkcs11.SessionHandle, key pkcs11.ObjectHandle, nonce, additional, sealed, into []byte) (int, error) {
	room := C.kura_ulong(len(into))
	err := result(C.kura_decrypt_gcm(n.functions, C.kura_ulong(session), pkcs11.CKM_AES_GCM, C.kura_ulong(key),
		bytesPointer(nonce), C.kura_ulong(len(nonce)), bytesPointer(additional), C.kura_ulong(len(additional)), gcmTagSize*8,
		bytesPointer(sealed), C.kura_ulong(len(sealed)), bytesPointer(into), &room))
	return int(room), err
}

// decryptCBC opens sealed (AES-CBC with PKCS#7 padding) into locked memory. The
// caller has checked the MAC over it first.
func (n native) decryptCBC(session pkcs11.SessionHandle, key pkcs11.ObjectHandle, iv, sealed, into []byte) (int, error) {
	room := C.kura_ulong(len(into))
	err := result(C.kura_decrypt_cbc(n.functions, C.kura_ulong(session), pkcs11.CKM_AES_CBC_PAD, C.kura_ulong(key),
		bytesPointer(iv), C.kura_ulong(len(iv)),
		bytesPointer(sealed), C.kura_ulong(len(sealed)), bytesPointer(into), &room))
	return int(room), err
}

// createObject makes an object with the attributes given and CKA_VALUE = secret,
// which lies in locked memory and is not copied on this side.
func (n native) createObject(session pkcs11.SessionHandle, attributes []*pkcs11.Attribute, secret []byte) (pkcs11.ObjectHandle, error) {
	types := make([]C.kura_ulong, len(attributes)+1)
	lengths := make([]C.kura_ulong, len(attributes)+1)
	values := []byte{}
	for i, attribute := range attributes {
		types[i] = C.kura_ulong(attribute.Type)
		lengths[i] = C.kura_ulong(len(attribute.Value))
		values = append(values, attribute.Value...)
	}
	var object C.kura_ulong
	err := result(C.kura_create_object(n.functions, C.kura_ulong(session), C.kura_ulong(len(attributes)),
		&types[0], &lengths[0], bytesPointer(values),
		pkcs11.CKA_VALUE, bytesPointer(secret), C.kura_ulong(len(secret)), &object))
	return pkcs11.ObjectHandle(object), err
}

func result(rv C.kura_ulong) error {
	if rv == 0 {
		return nil
	}
	return pkcs11.Error(rv)
}

// bytesPointer is nil for no bytes, which PKCS#11 takes together with length 0.
func bytesPointer(b []byte) *C.uchar {
	if len(b) == 0 {
		return nil
	}
	return (*C.uchar)(unsafe.Pointer(&b[0]))
}
