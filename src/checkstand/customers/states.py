"""States, provinces, counties: the codes that clients send, and how each is recognised.

CoCart clients send WooCommerce's codes: mostly ISO 3166-2 without the country ("CA"), for some
countries with it ("TH-10", "JP13"), for a few something of their own ("DF" in Mexico). All of them,
plain ISO codes and names in any case are understood.

A country has a list here when WooCommerce storefronts show one for it *and* Google's data has it.
Elsewhere the state is free text: a list that shoppers never saw must not refuse what they typed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from checkstand.customers.countries import google_data

# Country -> what WooCommerce puts before the ISO code.
_PREFIX = {
    **dict.fromkeys(
        ("AR", "AU", "BR", "CA", "ES", "ID", "IE", "IN", "IT", "NG", "PE", "PH", "US"), ""
    ),
    **{code: f"{code}-" for code in ("CL", "CO", "JM", "NI", "SV", "TH", "UY", "VE")},
    **{code: code for code in ("EG", "JP", "MZ", "TR", "UA")},
    # Codes of WooCommerce's own: see _OWN_CODES.
    **dict.fromkeys(("CN", "HK", "IR", "MX", "MY"), ""),
}

# ISO (or Google's key) = WooCommerce.
_OWN_CODES = {
    "CN": "53=CN1 11=CN2 12=CN3 13=CN4 14=CN5 15=CN6 21=CN7 22=CN8 23=CN9 31=CN10 32=CN11 33=CN12"
    " 34=CN13 35=CN14 36=CN15 37=CN16 41=CN17 42=CN18 43=CN19 44=CN20 45=CN21 46=CN22 50=CN23"
    " 51=CN24 52=CN25 61=CN26 62=CN27 63=CN28 64=CN29 92=CN30 54=CN31 65=CN32",
    "HK": "Hong_Kong_Island=HONG_KONG Kowloon=KOWLOON New_Territories=NEW_TERRITORIES",
    "IN": "TG=TS UT=UK",
    "IR": "03=EAZ 04=WAZ 24=ADL 10=ESF 30=ABZ 16=ILM 18=BHR 23=THR 14=CHB 29=SKH 09=RKH 28=NKH"
    " 06=KHZ 19=ZJN 20=SMN 11=SBN 07=FRS 26=GZN 25=QHM 12=KRD 08=KRN 05=KRH 17=KBD 27=GLS 01=GIL"
    " 15=LRS 02=MZN 00=MKZ 22=HRZ 13=HDN 21=YZD",
    "MX": "AGU=AG BCN=BC BCS=BS CAM=CM CHP=CS CHH=CH CMX=DF COA=CO COL=CL DUR=DG MEX=MX GUA=GT"
    " GRO=GR HID=HG JAL=JA MIC=MI MOR=MO NAY=NA NLE=NL OAX=OA PUE=PU QUE=QT ROO=QR SLP=SL SIN=SI"
    " SON=SO TAB=TB TAM=TM TLA=TL VER=VE YUC=YU ZAC=ZA",
    "MY": "01=JHR 02=KDH 03=KTN 14=KUL 15=LBN 04=MLK 05=NSN 06=PHG 08=PRK 09=PLS 07=PNG 16=PJY"
    " 12=SBH 13=SWK 10=SGR 11=TRG",
    "PH": "SIG=SIQ",
}

# Further codes = ISO: newer ISO codes, older WooCommerce ones.
_MORE_CODES = {
    "CA": "NF=NL PQ=QC",
    "CN": "AH=34 BJ=11 CQ=50 FJ=35 GD=44 GS=62 GX=45 GZ=52 HA=41 HB=42 HE=13 HI=46 HK=91 HL=23"
    " HN=43 JL=22 JS=32 JX=36 LN=21 MO=92 NM=15 NX=64 QH=63 SC=51 SD=37 SH=31 SN=61 SX=14 TJ=12"
    " TW=71 XJ=65 XZ=54 YN=53 ZJ=33",
    "IN": "CG=CT DD=DH DN=DH OD=OR",
    "PH": "DAC=DVO NCR=00",
    "UA": "VN=05 VL=07 DP=12 DT=14 ZT=18 ZK=21 ZP=23 IF=26 KV=32 KH=35 LH=09 LV=46 MY=48 OD=51"
    " PL=53 RV=56 SM=59 TP=61 KK=63 KS=65 KM=68 CK=71 CH=74 CV=77",
}

# States that the data lacks: ISO = name.
_MORE_STATES = {
    "ID": "PD=Papua Barat Daya;PE=Papua Pegunungan;PS=Papua Selatan;PT=Papua Tengah",
}

# Names that people write and the data lacks: ISO = names.
_MORE_NAMES = {
    "AR": "C=CABA,Capital Federal,Ciudad de Buenos Aires",
    "CA": "NL=Newfoundland;PE=PEI;YT=Yukon Territory",
    "CL": "AI=Aisén del General Carlos Ibáñez del Campo;AR=La Araucanía;LI=Libertador O'Higgins;"
    "RM=Metropolitana,Región Metropolitana de Santiago",
    "CN": "15=Inner Mongolia;54=Tibet;92=Macao",
    "CO": "DC=Bogotá D.C.,Distrito Capital;SAP=San Andrés y Providencia;VAC=Valle",
    "EG": "BH=Beheira;MN=Minya,Al Minya;MNF=Monufia,Menoufia;SHR=Sharqia,Al Sharqia",
    "ES": "A=Alicante/Alacant;BI=Biscay,Bizkaia/Vizcaya;C=A Coruña;CS=Castellón/Castelló;GI=Gerona;"
    "OR=Orense;PM=Baleares,Balearic Islands;TF=Tenerife;V=Valencia/València;VI=Araba/Álava",
    "HK": "Hong_Kong_Island=HK",
    "IN": "DH=Dadra and Nagar Haveli,Daman and Diu;DL=New Delhi,NCT of Delhi;"
    "OR=Orissa;PY=Pondicherry;UT=Uttaranchal",
    "IT": "AO=Aosta Valley,Valle d'Aosta;FI=Florence;GE=Genoa;"
    "MB=Monza e della Brianza,Monza Brianza;"
    "MI=Milan;MN=Mantua;NA=Naples;PD=Padua;RC=Reggio di Calabria;RE=Reggio nell'Emilia;RM=Rome;"
    "SR=Syracuse;TO=Turin;VE=Venice",
    "MX": "CMX=Mexico City,Distrito Federal;COA=Coahuila;MEX=México,Edomex;"
    "MIC=Michoacán de Ocampo;QUE=Querétaro de Arteaga;VER=Veracruz de Ignacio de la Llave",
    "MY": "04=Malacca;07=Penang;14=Wilayah Persekutuan Kuala Lumpur,WP Kuala Lumpur",
    "MZ": "L=Maputo Province;MPM=Maputo City",
    "NG": "FC=Abuja,FCT",
    "PE": "CAL=El Callao;CUS=Cusco;LIM=Lima",
    "PH": "00=National Capital Region;COM=Davao de Oro;MDC=Occidental Mindoro;MDR=Oriental Mindoro;"
    "NCO=North Cotabato;WSA=Western Samar;ZSI=Zamboanga Sibugay",
    "TH": "10=Krung Thep;14=Ayutthaya;86=Chumphon;93=Phatthalung",
    "TR": "03=Afyonkarahisar;33=İçel",
    "UA": "05=Vinnytsia;07=Volyn;12=Dnipro;18=Zhytomyr;21=Zakarpattia;23=Zaporizhzhia;"
    "26=Ivano-Frankivsk;30=Kyiv,Kiev;32=Kyiv Oblast,Київська;35=Kirovohrad;09=Luhansk;48=Mykolaiv;"
    "51=Odesa,Odesa Oblast;53=Poltava;56=Rivne;59=Sumy;61=Ternopil;65=Kherson;68=Khmelnytskyi;"
    "71=Cherkasy;77=Chernivtsi;74=Chernihiv",
    "US": "DC=Washington DC",
    "VE": "A=Capital,Distrito Capital;X=La Guaira",
}

# Where a one-line address carries the code itself; elsewhere it carries the name.
_ABBREVIATED = frozenset({"AU", "BR", "CA", "IT", "US"})
# Where the data's names carry the word for "province", which a list of provinces need not repeat.
_WORDY = frozenset({"CN", "EG", "IR", "NG"})

_BEFORE_NAME = re.compile(
    r"^(?:co\.|county|state of|province of|province d[eu]|provincia d[ei]l?|"
    r"(?:estado|region|región|departamento|department) (?:de la|del?|of)|استان|จังหวัด)\s+",
    re.IGNORECASE,
)
_AFTER_NAME = re.compile(
    r"(?:\s+(?:state|province|prefecture|county|governorate|oblast|region|city|sheng|shi|\w*zizhiqu)"
    r"|-(?:to|fu|ken)|都|府|県|省|市|\s+область)$",
    re.IGNORECASE,
)
_ACCENTS = re.compile("[\u0300-\u036f]")


@dataclass(frozen=True, slots=True)
class _States:
    names: Mapping[str, str]  # WooCommerce's code -> name in Latin letters, in the data's order
    local_names: Mapping[str, str]
    by_code: Mapping[str, str]  # every code that is understood, in capitals -> WooCommerce's code
    by_name: Mapping[str, str]  # folded name -> WooCommerce's code


def states_of(country: str) -> Mapping[str, str]:
    """Code -> name for a country whose states are checked; empty where any text passes."""
    table = _states(country)
    return table.names if table else MappingProxyType({})


def state_code(country: str, text: str) -> str | None:
    """The one code of the state that `text` names, by any of its codes or names; None if none.

    Rates and zones are matched on this, since an address keeps the code that the client sent.
    """
    table = _states(country)
    if not table or not text:
        return None
    return table.by_code.get(text.upper()) or _by_name(table, text)


def state_spelled(country: str, text: str) -> str:
    """`text` as the state is stored: a WooCommerce or ISO code stays, a name becomes the code."""
    table = _states(country)
    if not table or not text:
        return text
    code = text.upper()
    known = table.by_code.get(code)
    if known:
        return known if code.startswith(f"{country}-") else code
    return _by_name(table, text) or text


def state_in_line(country: str, state: str, *, local: bool) -> str:
    """The state as a one-line address shows it: "OR", but "Tokyo" and not "JP13"."""
    code = state_code(country, state)
    if code is None:
        return state
    if country in _ABBREVIATED:
        return code
    return _table(country).local_names[code] if local else _table(country).names[code]


def _by_name(table: _States, text: str) -> str | None:
    return table.by_name.get(_folded(text)) or table.by_name.get(_folded(_bare(text)))


def _states(country: str) -> _States | None:
    return _table(country) if country in _PREFIX else None


@lru_cache(maxsize=64)
def _table(country: str) -> _States:
    own = dict(_pairs(_OWN_CODES.get(country, ""), " "))
    names: dict[str, str] = {}
    local_names: dict[str, str] = {}
    by_code: dict[str, str] = {}
    code_of: dict[str, str] = {}  # ISO -> WooCommerce's
    for iso, key, name in _listed(country):
        code = own.get(iso, _PREFIX[country] + iso)
        code_of[iso] = code
        local_names[code] = key
        names[code] = _bare(name) if country in _WORDY else name
        by_code[code.upper()] = code
    for iso, code in code_of.items():
        by_code.setdefault(iso.upper(), code)
        by_code.setdefault(f"{country}-{iso}".upper(), code)
    for alias, iso in _pairs(_MORE_CODES.get(country, ""), " "):
        by_code.setdefault(alias, code_of[iso])
        by_code.setdefault(f"{country}-{alias}", code_of[iso])
    by_name: dict[str, str] = {}
    known = [(name, code_of[iso]) for iso, name in _all_names(country)]
    for name, code in known:
        by_name.setdefault(_folded(name), code)
    for name, code in known:  # the bare names last: "Kyiv" is the city, not "Kyiv oblast"
        by_name.setdefault(_folded(_bare(name)), code)
    return _States(MappingProxyType(names), local_names, by_code, by_name)


def _listed(country: str) -> Iterator[tuple[str, str, str]]:
    """ISO code (or Google's key), local name and Latin name of each state."""
    entry = google_data(country)[country]
    keys = entry["sub_keys"].split("~")
    codes = _column(entry, "sub_isoids", keys)
    names = _column(entry, "sub_lnames", _column(entry, "sub_names", keys))
    for key, code, name in zip(keys, codes, names, strict=True):
        if country == "HK":  # the one list that is keyed in English and named in Chinese
            yield key.replace(" ", "_"), name, key
        else:
            yield code or key, key, name or key
    for code, name in _pairs(_MORE_STATES.get(country, ""), ";"):
        yield code, name, name


def _all_names(country: str) -> Iterator[tuple[str, str]]:
    """(ISO code, name) for every name of every state: the data's languages, then ours."""
    iso_of_key: dict[str, str] = {}
    for iso, local_name, name in _listed(country):
        iso_of_key[local_name] = iso
        yield from ((iso, local_name), (iso, name))
    for entry in google_data(country).values():
        keys = entry.get("sub_keys", "").split("~")
        # A translation lists the states in its own order, and not always their keys.
        codes = _column(entry, "sub_isoids", [""] * len(keys))
        isos = [code or iso_of_key.get(key, "") for key, code in zip(keys, codes, strict=True)]
        for column in ("sub_names", "sub_lnames", "sub_lfnames"):
            names = zip(isos, _column(entry, column, keys), strict=True)
            yield from ((iso, name) for iso, name in names if iso and name)
    for iso, more in _pairs(_MORE_NAMES.get(country, ""), ";"):
        yield from ((iso, name) for name in more.split(","))


def _column(entry: Mapping[str, str], name: str, otherwise: list[str]) -> list[str]:
    return entry[name].split("~") if name in entry else otherwise


def _pairs(text: str, separator: str) -> Iterator[tuple[str, str]]:
    for pair in filter(None, text.split(separator)):
        left, _, right = pair.partition("=")
        yield left, right.replace("_", " ")


def _bare(name: str) -> str:
    """The name without the word for "province": "Tokyo Prefecture" and "東京都" lose it."""
    bare = _AFTER_NAME.sub("", _BEFORE_NAME.sub("", name))
    return re.sub(r"^saint\b", "st", bare, flags=re.IGNORECASE)


def _folded(name: str) -> str:
    """The name without case, accents, spaces and punctuation, for comparing."""
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", name.casefold())).replace("ı", "i")
    if plain.isalnum():
        return plain
    return "".join(char for char in plain if unicodedata.category(char)[0] in "LMN")
