import { describe, expect, it } from 'vitest'
import { keyOf, keyOfUrl, normalTarget } from './key.ts'

describe('the name under which a response is kept', () => {
  it.each([
    ['http', 'Shop.Example.COM', '/', 'http://shop.example.com/'],
    ['http', 'shop.example.com:80', '/', 'http://shop.example.com/'],
    ['https', 'shop.example.com:443', '/', 'https://shop.example.com/'],
    ['https', 'shop.example.com:80', '/', 'https://shop.example.com:80/'],
    ['http', 'shop.example.com.', '/', 'http://shop.example.com/'],
    ['http', 'shop.example.com.:8080', '/', 'http://shop.example.com:8080/'],
    ['http', 'shop:', '/', 'http://shop/'],
    ['http', '[2001:DB8::1]:80', '/', 'http://[2001:db8::1]/'],
    ['http', 'a', '/%7Eme/%2f%e4?b=%41&a', 'http://a/~me/%2F%E4?b=A&a'],
    ['http', 'a', '//x/../y/./', 'http://a//x/../y/./'],
    ['http', 'a', '/%zz%4', 'http://a/%zz%4'],
  ] as const)('%s, %s, %s', (scheme, host, target, expected) => {
    expect(keyOf(scheme, host, target)).toBe(expected)
  })

  it('is the same however often it is made', () => {
    for (const target of ['/%7e', '/%25%37%65', '/a%20b']) expect(normalTarget(normalTarget(target))).toBe(normalTarget(target))
  })

  it.each([
    ['HTTP://Shop.example.com:80/%7Ea#top', 'http://shop.example.com/~a'],
    ['https://shop.example.com', 'https://shop.example.com/'],
    ['https://shop.example.com?q', 'https://shop.example.com/?q'],
    ['http://me:secret@shop/x', 'http://shop/x'],
    ['ftp://shop/x', 'ftp://shop/x'],
    ['nonsense', 'nonsense'],
  ])('of %s', (url, expected) => {
    expect(keyOfUrl(url)).toBe(expected)
  })
})
