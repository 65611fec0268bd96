// The service of the tests with stock clients and servers. The Go code in the
// tree is that of thrift-compiler 0.17.0, of Debian 12, formatted:
//
//	thrift --gen go:skip_remote -out internal calculator.thrift && gofmt -w internal/calculator
//
// The code for Python is made when it is tested; see python_test.go.

namespace go calculator
namespace py calculator

struct Item {
  1: string name
  2: i64 count
  3: list<double> prices
  4: map<string, bool> flags
  5: set<i16> sizes
  6: bool sold
  7: binary blob
  8: optional Item rest
  40: i8 small
}

exception Overflow {
  1: string why
  2: i32 code
}

service Calculator {
  i32 add(1: i32 a, 2: i32 b) throws (1: Overflow overflow)
  Item echo(1: Item item)
  list<Item> get_items(1: i32 n)
  void ping()
  string fail(1: string text)
  i32 missing(1: i32 a)
  oneway void note(1: string text)
}
