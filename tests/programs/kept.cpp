// What the C and the C++ library keep for themselves, though all that they hand out is given back. With an argument it
// is not: what is allocated in the lines that say FORGOTTEN is lost then.
#include <aio.h>
#include <fcntl.h>
#include <fstab.h>
#include <iconv.h>
#include <ifaddrs.h>
#include <libintl.h>
#include <locale.h>
#include <mntent.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <iomanip>
#include <iostream>
#include <locale>
#include <new>
#include <sstream>

static bool forgets;
alignas(16) static char place[1024];

#define PART __attribute__((noinline)) static void

PART a_locale()
{
    locale_t locale = newlocale(LC_ALL_MASK, "C.UTF-8", nullptr); // FORGOTTEN
    if (!forgets)
        freelocale(locale);
}

PART an_address()
{
    struct addrinfo hints = {}, *found = nullptr;

    if (getaddrinfo("localhost", "80", nullptr, &found) == 0)
        freeaddrinfo(found);
    hints.ai_flags = AI_NUMERICHOST;
    if (getaddrinfo("127.0.0.1", "80", &hints, &found) != 0) // FORGOTTEN
        exit(2);
    if (!forgets)
        freeaddrinfo(found);
}

PART interfaces()
{
    struct ifaddrs *found;

    if (getifaddrs(&found) != 0) // FORGOTTEN
        exit(2);
    if (!forgets)
        freeifaddrs(found);
}

PART a_conversion()
{
    iconv_t conversion = iconv_open("UTF-16", "UTF-8"); // FORGOTTEN
    if (conversion == (iconv_t)-1)
        exit(2);
    if (!forgets)
        iconv_close(conversion);
}

PART a_mount()
{
    FILE *mounts = setmntent("/proc/self/mounts", "r"); // FORGOTTEN
    if (!mounts)
        exit(2);
    getmntent(mounts);
    if (!forgets)
        endmntent(mounts);
}

PART a_cpp_locale()
{
    std::locale *locale = new std::locale("C.UTF-8"); // FORGOTTEN
    if (!forgets)
        delete locale;
}

PART a_stream()
{
    std::ostringstream *stream = new (place) std::ostringstream;
    for (int i = 0; i < 100; i++)
        *stream << 12345678; // FORGOTTEN
    if (!forgets)
        stream->~basic_ostringstream();
    memset(place, 0, sizeof place);
}

PART an_amount()
{
    const auto &money = std::use_facet<std::money_get<char>>(std::locale::classic());
    std::string *text = new (place) std::string;
    std::istringstream from("1234567890123456789012345678901234567890");
    std::ios_base::iostate state = {};
    money.get(std::istreambuf_iterator<char>(from), std::istreambuf_iterator<char>(), false, from, state, *text); // FORGOTTEN
    if (!forgets)
        text->std::string::~string();
    memset(place, 0, sizeof place);
}

PART messages()
{
    setlocale(LC_ALL, "C.UTF-8");
    bindtextdomain("kept", "/tmp");
    textdomain("kept");
    gettext("a text");
    ngettext("a text", "texts", 2);
    dgettext("other", "a text");
}

PART names()
{
    getpwnam("root");
    setpwent();
    getpwent();
    endpwent();
    setservent(0);
    endservent();
    setfsent();
    endfsent();
    getnetbyname("loopback");
    getprotobyname("tcp");
    getrpcbyname("portmapper");
}

PART a_resolver()
{
    struct __res_state state = {};

    if (res_ninit(&state) == 0)
        res_nclose(&state);
}

PART characters()
{
    wchar_t wide[9];
    mbstowcs(wide, "h\xc3\xa4", 9);
}

PART request()
{
    static struct aiocb request;
    static char bytes[10];

    request.aio_fildes = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    request.aio_buf = bytes;
    request.aio_nbytes = sizeof bytes;
    const struct aiocb *const list[] = { &request };
    if (aio_read(&request) == 0)
        aio_suspend(list, 1, nullptr);
    aio_return(&request);
    close(request.aio_fildes);
}

PART streams()
{
    std::locale::global(std::locale("C.UTF-8"));
    std::ios::sync_with_stdio(false);
    std::cout.imbue(std::locale());
    std::cout << 12345678 << ' ' << 1.5 << ' ' << std::put_money(1234567) << std::endl;
    std::istringstream from("1234567 99");
    int number;
    long double amount;
    from >> number >> std::get_money(amount);
}

PART clear()
{
    char bytes[65536];
    memset(bytes, 0, sizeof bytes);
    __asm__("" : : "r"(bytes) : "memory");
}

int main(int count, char **)
{
    forgets = count > 1;
    pthread_atfork(nullptr, nullptr, nullptr);
    for (auto *part : { a_locale, an_address, interfaces, a_conversion, a_mount, a_cpp_locale, a_stream, an_amount, messages, names,
                        a_resolver, characters, request, streams }) {
        part();
        clear();
    }
    return 0;
}
