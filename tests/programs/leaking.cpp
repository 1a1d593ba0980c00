/* leaking_cpp: what leaking.c is, in C++. */
#include <memory>
#include <string>
#include <vector>

#define NOINLINE __attribute__((noinline))

namespace space {

struct Node {
    Node *next;
    char data[40];
};

class Keeper {
public:
    NOINLINE void lose(int count)
    {
        for (int i = 0; i < count; i++)
            node = new Node{ nullptr, {} }; // LEAK 6 288 lost
        node = nullptr;
    }
    Node *volatile node;
};

template <typename T> NOINLINE T *lose_one(size_t count)
{
    return new T[count]; // LEAK 2 880 lost
}

} // namespace space

static void *volatile sink;

struct AtStart {
    AtStart() { sink = new char[123]; } // LEAK 1 123 lost
} at_start;

static NOINLINE void lose_text()
{
    sink = new std::string(200, 'x'); // LEAK 2 233 lost
}

static NOINLINE void free_all()
{
    std::vector<std::string> texts(20, std::string(100, 'y'));
    std::unique_ptr<int[]> numbers(new int[1000]);
    sink = &texts;
    try {
        throw std::string("thrown");
    } catch (const std::string &) {
    }
    sink = nullptr;
}

static NOINLINE void wipe_stack()
{
    volatile char room[16384];
    for (size_t i = 0; i < sizeof room; i++)
        room[i] = 0;
}

int main()
{
    space::Keeper keeper;

    keeper.lose(6);
    sink = space::lose_one<int>(20);
    sink = space::lose_one<double>(100);
    lose_text();
    free_all();
    wipe_stack();
    return 0;
}
