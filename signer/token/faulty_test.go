package token

import (
	"sync"
	"time"

	"github.com/miekg/pkcs11"
)

// faulty is a double that stands before the real SoftHSM: it fails chosen calls,
// before or after the real call has had its effect.
type faulty struct {
	cryptoki
	plan *faultPlan
}

// faultPlan outlives a connection: recovery wraps the next one with the same plan.
type faultPlan struct {
	mutex sync.Mutex
	// next is asked before each call; nil means that the call goes through.
	next func(operation string) *fault
}

type fault struct {
	err   error
	after bool // fail, or hang, after the effect
	// hang is called before the effect or after it, and when it has come back, the call
	// goes on as the token does.
	hang func()
	// answered is called last after hang; nil for nothing.
	answered func()
}

func (p *faultPlan) set(next func(operation string) *fault) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.next = next
}

func (p *faultPlan) once(operation string, f *fault) (fired *bool) {
	fired = new(bool)
	p.set(func(called string) *fault {
		if called != operation || *fired {
			return nil
		}
		*fired = true
		return f
	})
	return fired
}

func (p *faultPlan) of(operation string) *fault {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.next == nil {
		return nil
	}
	return p.next(operation)
}

func (p *faultPlan) wrap(real cryptoki) cryptoki { return &faulty{real, p} }

// call runs a real call under the plan.
func call[T any](f *faulty, operation string, real func() (T, error)) (T, error) {
	var none T
	planned := f.plan.of(operation)
	switch {
	case planned == nil:
		return real()
	case planned.hang != nil:
		if planned.answered != nil {
			defer planned.answered()
		}
		if !planned.after {
			planned.hang()
			return real()
		}
		result, err := real()
		planned.hang()
		return result, err
	case planned.after:
		if _, err := real(); err != nil {
			return none, err
		}
	}
	return none, planned.err
}

func callOnly(f *faulty, operation string, real func() error) error {
	_, err := call(f, operation, func() (struct{}, error) { return struct{}{}, real() })
	return err
}

func (f *faulty) TokenInfo() (pkcs11.TokenInfo, error) {
	return call(f, "TokenInfo", f.cryptoki.TokenInfo)
}

func (f *faulty) LoggedIn(session pkcs11.SessionHandle) (bool, error) {
	return call(f, "LoggedIn", func() (bool, error) { return f.cryptoki.LoggedIn(session) })
}

func (f *faulty) OpenSession() (pkcs11.SessionHandle, error) {
	return call(f, "OpenSession", f.cryptoki.OpenSession)
}

func (f *faulty) Find(session pkcs11.SessionHandle, template []*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	return call(f, "Find", func() ([]pkcs11.ObjectHandle, error) { return f.cryptoki.Find(session, template) })
}

func (f *faulty) Attribute(session pkcs11.SessionHandle, object pkcs11.ObjectHandle, kind uint) ([]byte, error) {
	return call(f, "Attribute", func() ([]byte, error) { return f.cryptoki.Attribute(session, object, kind) })
}

func (f *faulty) GenerateEd25519(session pkcs11.SessionHandle, public, private []*pkcs11.Attribute) error {
	return callOnly(f, "GenerateEd25519", func() error { return f.cryptoki.GenerateEd25519(session, public, private) })
}

func (f *faulty) GenerateSecretKey(kind secretKind, attributes []*pkcs11.Attribute) error {
	return callOnly(f, "GenerateSecretKey", func() error { return f.cryptoki.GenerateSecretKey(kind, attributes) })
}

func (f *faulty) CreateObject(session pkcs11.SessionHandle, attributes []*pkcs11.Attribute, secret []byte) error {
	return callOnly(f, "CreateObject", func() error { return f.cryptoki.CreateObject(session, attributes, secret) })
}

func (f *faulty) DestroyObject(session pkcs11.SessionHandle, object pkcs11.ObjectHandle) error {
	return callOnly(f, "DestroyObject", func() error { return f.cryptoki.DestroyObject(session, object) })
}

func (f *faulty) Sign(session pkcs11.SessionHandle, mechanism uint, key pkcs11.ObjectHandle, message, signature []byte) (int, error) {
	return call(f, "Sign", func() (int, error) { return f.cryptoki.Sign(session, mechanism, key, message, signature) })
}

func (f *faulty) SealGCM(id, nonce, additional, plain []byte) ([]byte, error) {
	return call(f, "SealGCM", func() ([]byte, error) { return f.cryptoki.SealGCM(id, nonce, additional, plain) })
}

func (f *faulty) DecryptGCM(session pkcs11.SessionHandle, key pkcs11.ObjectHandle, nonce, additional, sealed, into []byte) (int, error) {
	return call(f, "DecryptGCM", func() (int, error) {
		return f.cryptoki.DecryptGCM(session, key, nonce, additional, sealed, into)
	})
}

func (f *faulty) Random(into []byte) error {
	return callOnly(f, "Random", func() error { return f.cryptoki.Random(into) })
}

// immediately takes the waiting out of back-off.
func immediately(int) <-chan time.Time {
	now := make(chan time.Time, 1)
	now <- time.Time{}
	return now
}
