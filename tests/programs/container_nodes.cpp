/* Containers of a type of its own, of several users each: what makes their nodes is all of theirs. */
#include <cstddef>
#include <set>
#include <unordered_set>

struct item {
    int x;
    bool operator<(const item &other) const { return x < other.x; }
    bool operator==(const item &other) const { return x == other.x; }
};

struct hash {
    std::size_t operator()(const item &one) const { return (std::size_t)one.x; }
};

static volatile int done; /* no last call, no two functions alike */

using sorted = std::set<item>;
using hashed = std::unordered_set<item, hash>;

static __attribute__((noinline)) void load(sorted &s)
{
    for (int i = 0; i < 1000; i++)
        s.insert(item{i});
    done = 1;
}

static __attribute__((noinline)) void session(sorted &s)
{
    for (int i = 0; i < 2000; i++)
        s.insert(item{i});
    done = 2;
}

static __attribute__((noinline)) void snapshot(sorted &to, const sorted &from)
{
    to = from;
    done = 3;
}

static __attribute__((noinline)) void backup(sorted &to, const sorted &from)
{
    to = from;
    done = 4;
}

static __attribute__((noinline)) void collect(hashed &h)
{
    for (int i = 0; i < 3000; i++)
        h.insert(item{i});
    done = 5;
}

static __attribute__((noinline)) void duplicate(hashed &to, const hashed &from)
{
    to = from;
    done = 6;
}

int main()
{
    static sorted a, b, c, d;
    static hashed e, f;

    load(a);
    session(b);
    snapshot(c, a);
    backup(d, b);
    collect(e);
    duplicate(f, e);
    return 0;
}
