package saved

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
)

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "contexts.json")
	if got, err := Load(path); err != nil || len(got) != 0 {
		t.Errorf("no file is %v, %v", got, err)
	}
	want := Targets{"prod": {Target: "tls://h:1", Flags: map[string][]string{"H": {"a=b", "c=d"}}}}
	for range 2 { // an existing file is replaced
		if err := want.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Load(path); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("loaded %v, %v", got, err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("next to the file there are %v, %v", left, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o620); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil {
		t.Error("a file that others can write was accepted")
	}
}

func TestLoadRefusesWhatIsNotJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contexts.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil {
		t.Error("half a file was read")
	}
}

func TestNames(t *testing.T) {
	for s, want := range map[string]bool{"prod": true, "a.b-c_1": true, "": false, "h:1": false, "/x": false, ".": false, "tcp://h:1": false, "a b": false} {
		if IsName(s) != want {
			t.Errorf("%q is a name: %v", s, !want)
		}
	}
}
