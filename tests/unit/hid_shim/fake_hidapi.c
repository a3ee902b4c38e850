/* Stands in for libhidapi-hidraw where there is no SpaceMouse: the part of hidapi's ABI that easyhid calls.
 *
 * FAKE_HID_DIR names a folder. Every FIFO in it is a device; its name is VENDOR-PRODUCT-ANYTHING in hexadecimal.
 * A report is one byte that tells its length, and that many bytes. A FIFO that was removed is a device that was
 * unplugged. A FIFO without read permission cannot be opened, like a hidraw node without a udev rule.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

struct hid_device_info {
    char *path;
    unsigned short vendor_id;
    unsigned short product_id;
    wchar_t *serial_number;
    unsigned short release_number;
    wchar_t *manufacturer_string;
    wchar_t *product_string;
    unsigned short usage_page;
    unsigned short usage;
    int interface_number;
    struct hid_device_info *next;
};

typedef struct hid_device_ {
    int fifo;
    int waits;
    char path[PATH_MAX];
} hid_device;

int hid_init(void) { return 0; }
int hid_exit(void) { return 0; }

void hid_free_enumeration(struct hid_device_info *list)
{
    while (list) {
        struct hid_device_info *rest = list->next;
        free(list->path);
        free(list->serial_number);
        free(list->manufacturer_string);
        free(list->product_string);
        free(list);
        list = rest;
    }
}

struct hid_device_info *hid_enumerate(unsigned short vendor, unsigned short product)
{
    const char *folder = getenv("FAKE_HID_DIR");
    struct dirent **entries;
    struct hid_device_info *list = NULL, **end = &list;
    int count = folder ? scandir(folder, &entries, NULL, alphasort) : 0;

    for (int i = 0; i < count; i++) {
        unsigned v, p;
        if (sscanf(entries[i]->d_name, "%4x-%4x-", &v, &p) == 2 && (!vendor || vendor == v) &&
            (!product || product == p)) {
            struct hid_device_info *info = calloc(1, sizeof *info);
            if (asprintf(&info->path, "%s/%s", folder, entries[i]->d_name) < 0)
                abort();
            info->vendor_id = v;
            info->product_id = p;
            info->serial_number = wcsdup(L"");
            info->manufacturer_string = wcsdup(L"3Dconnexion");
            info->product_string = wcsdup(L"Fake SpaceMouse");
            *end = info;
            end = &info->next;
        }
        free(entries[i]);
    }
    if (count > 0)
        free(entries);
    return list;
}

hid_device *hid_open_path(const char *path)
{
    struct stat status;
    if (stat(path, &status) || !(status.st_mode & S_IRUSR)) /* root may read everything: ask the mode itself */
        return NULL;
    int fifo = open(path, O_RDWR | O_NONBLOCK); /* for writing too, so that it never ends */
    if (fifo < 0)
        return NULL;
    hid_device *device = calloc(1, sizeof *device);
    device->fifo = fifo;
    device->waits = 1;
    snprintf(device->path, sizeof device->path, "%s", path);
    return device;
}

hid_device *hid_open(unsigned short vendor, unsigned short product, const wchar_t *serial)
{
    (void)serial;
    struct hid_device_info *list = hid_enumerate(vendor, product);
    hid_device *device = list ? hid_open_path(list->path) : NULL;
    hid_free_enumeration(list);
    return device;
}

static int read_exactly(int fifo, unsigned char *data, int length)
{
    for (int have = 0; have < length;) {
        int got = read(fifo, data + have, length - have);
        if (got > 0)
            have += got;
        else if (errno != EAGAIN && errno != EINTR)
            return -1;
    }
    return length;
}

int hid_read_timeout(hid_device *device, unsigned char *data, size_t length, int milliseconds)
{
    unsigned char size, report[256];
    struct pollfd ready = {device->fifo, POLLIN, 0};

    if (access(device->path, F_OK))
        return -1; /* unplugged */
    if (poll(&ready, 1, milliseconds) <= 0 || read(device->fifo, &size, 1) != 1)
        return 0;
    if (read_exactly(device->fifo, report, size) < 0)
        return -1;
    if (size < length)
        length = size;
    memcpy(data, report, length);
    return (int)length;
}

int hid_read(hid_device *device, unsigned char *data, size_t length)
{
    return hid_read_timeout(device, data, length, device->waits ? -1 : 0);
}

int hid_set_nonblocking(hid_device *device, int nonblock)
{
    device->waits = !nonblock;
    return 0;
}

void hid_close(hid_device *device)
{
    close(device->fifo);
    free(device);
}

int hid_write(hid_device *device, const unsigned char *data, size_t length)
{
    (void)device, (void)data;
    return (int)length;
}

int hid_send_feature_report(hid_device *device, const unsigned char *data, size_t length)
{
    return hid_write(device, data, length);
}

int hid_get_feature_report(hid_device *device, unsigned char *data, size_t length)
{
    (void)device, (void)data, (void)length;
    return -1;
}

static int text(wchar_t *target, size_t length, const wchar_t *value)
{
    wcsncpy(target, value, length);
    return 0;
}

int hid_get_manufacturer_string(hid_device *device, wchar_t *target, size_t length)
{
    (void)device;
    return text(target, length, L"3Dconnexion");
}

int hid_get_product_string(hid_device *device, wchar_t *target, size_t length)
{
    (void)device;
    return text(target, length, L"Fake SpaceMouse");
}

int hid_get_serial_number_string(hid_device *device, wchar_t *target, size_t length)
{
    (void)device;
    return text(target, length, L"");
}

int hid_get_indexed_string(hid_device *device, int index, wchar_t *target, size_t length)
{
    (void)device, (void)index, (void)target, (void)length;
    return -1;
}

const wchar_t *hid_error(hid_device *device)
{
    (void)device;
    return L"";
}
