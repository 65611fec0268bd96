package validate_test

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/go-playground/validator/v10"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/binder"
	"github.com/goerpc/erpc/plugin/binder/validate"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

type user struct {
	Name  string `param:"<meta>" validate:"required,even"`
	Email string `validate:"omitempty,email"`
	Kids  []kid  `validate:"dive"`
}

type kid struct {
	Age int `validate:"gte=0,lte=17"`
}

// TestValidate: what was bound is checked, also by tags that the user defines.
func TestValidate(t *testing.T) {
	engine := validator.New()
	if err := engine.RegisterValidation("even", func(f validator.FieldLevel) bool { return len(f.Field().String())%2 == 0 }); err != nil {
		t.Fatal(err)
	}
	srv := wiretest.NewServer(t, erpc.PeerConfig{}, binder.NewStructArgsBinder(nil, binder.Config{Validator: validate.New(validate.Config{Engine: engine})}))
	erpc.HandleCall(srv.Peer, "/u", func(_ context.Context, u *user) (*string, error) { return &u.Name, nil })
	srv.Listen(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	for _, tc := range []struct {
		name   string
		arg    user
		reason string // "" is OK
	}{
		{"anna", user{Email: "a@b.cd", Kids: []kid{{3}}}, ""},
		{"", user{}, `"param": "Name", "reason": "fails required"`},
		{"ann", user{}, `"param": "Name", "reason": "fails even"`},
		{"anna", user{Email: "a"}, `"param": "Email", "reason": "fails email"`},
		{"anna", user{Kids: []kid{{3}, {18}}}, `"param": "Kids[1].Age", "reason": "fails lte=17"`},
	} {
		var name string
		st := sess.Call("/u", tc.arg, &name, erpc.WithSetMeta("name", tc.name)).Status()
		if tc.reason == "" {
			if !st.OK() || name != tc.name {
				t.Errorf("%+v: %v", tc.arg, st)
			}
			continue
		}
		if st.Code() != erpc.CodeBadMessage || !strings.Contains(fmt.Sprint(st.Cause()), tc.reason) {
			t.Errorf("%+v: %v, want %s", tc.arg, st, tc.reason)
		}
	}
}

// TestMistakes: an unknown tag is reported at registration, or when it is first
// met, but never ends the process.
func TestMistakes(t *testing.T) {
	v := validate.New(validate.Config{})
	type wrong struct {
		A int `validate:"nonsense"`
	}
	if err := v.Prepare(reflect.TypeFor[wrong]()); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("%v", err)
	}
	type later struct {
		List []wrong `validate:"dive"`
	}
	if err := v.Prepare(reflect.TypeFor[later]()); err != nil {
		t.Fatal(err)
	}
	if _, reason, ok := v.Validate(&later{[]wrong{{1}}}); ok || !strings.Contains(reason, "nonsense") {
		t.Errorf("%v %s", ok, reason)
	}
	if _, reason, ok := v.Validate(5); ok || reason == "" {
		t.Errorf("a number is valid: %s", reason)
	}
}

func Example() {
	type Account struct {
		Email string `validate:"required,email"`
	}
	b := binder.NewStructArgsBinder(nil, binder.Config{Validator: validate.New(validate.Config{})})
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: slog.New(slog.DiscardHandler)}, b)
	defer srv.Close()
	erpc.HandleCall(srv, "/open", func(context.Context, *Account) (*bool, error) { return new(bool), nil })
	lis, err := srv.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.Serve(lis)
	cli := erpc.NewPeer(erpc.PeerConfig{})
	defer cli.Close()
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		fmt.Println(st)
		return
	}
	fmt.Println(sess.Call("/open", Account{Email: "nobody"}, nil).Status().Cause())
	// Output: {"handler": "/open", "param": "Email", "reason": "fails email"}
}
