"""Words that have a meaning for comparison: numbers, months, currencies, units, negations, and words without weight."""

from __future__ import annotations

_ONES = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen
"""
ONES = _ONES.split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
TENS = _TENS.split()
SCALES = ((1000, ("thousand", "k")), (10**6, ("million", "m", "mn", "mio")), (10**9, ("billion", "bn", "b")))
NUMBER_WORDS = frozenset(("hundred", "dozen", "half", *ONES, *TENS, *(word for _, words in SCALES for word in words)))

_MONTHS = (
    "january jan januar enero ene janvier gennaio janeiro",
    "february feb februar febrero février fevrier fév febbraio fevereiro fev",
    "march mar märz marz mrz marzo mars março marco",
    "april apr abril abr avril avr aprile",
    "may mai mayo maggio maio",
    "june jun juni junio juin giugno junho",
    "july jul juli julio juillet juil luglio julho",
    "august aug agosto ago août aout",
    "september sep sept septiembre septembre settembre setembro",
    "october oct oktober okt octubre octobre ottobre outubro",
    "november nov noviembre novembre novembro",
    "december dec dezember dez diciembre dic décembre dicembre dezembro",
)
MONTHS = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
MONTH_NAMES = {number: tuple(names.split()) for number, names in enumerate(_MONTHS, 1)}

_CURRENCIES = (
    ("$", "usd", "us$", "dollar", "dollars"),
    ("€", "eur", "euro", "euros"),
    ("£", "gbp", "pound", "pounds"),
    ("¥", "jpy", "yen", "円"),
    ("¥", "cny", "rmb", "yuan", "元"),
    ("chf", "fr", "francs"),
    ("₹", "inr", "rs", "rupees"),
    ("₽", "rub"),
    ("₩", "krw", "won"),
)
SAME_CURRENCY = {name: names for names in _CURRENCIES for name in names}
CURRENCIES = frozenset(SAME_CURRENCY)

_UNITS = """
mg g kg mcg µg μg ug t l ml dl cl µl μl km m cm mm nm µm μm mi ft in yd lb lbs oz h hr hrs min mins s sec ms d
wk mo yr yrs y °c °f ° c f k % ‰ am pm a p kb mb gb tb hz khz mhz ghz w kw kwh v ma mmhg bpm iu mol mmol px pt
x m2 m3 percent bn mn mio b
"""
UNITS = frozenset(_UNITS.split())
_NEGATIONS = """
no not nor never none neither without cannot t denies denied deny negative absent excluded unlikely nicht kein
keine keinen keiner ohne nie pas ne sans jamais aucun aucune non sin nunca ni ningún niet geen zonder não nao
sem senza mai inte ikke ej utan uden не нет без ни 不 没 無 无 非 未 别 勿 không chưa chẳng لا لم لن ليس غير بدون bez
"""
NEGATIONS = frozenset(_NEGATIONS.split())
_SMALL_WORDS = """
a an the of in on at by for to and or with from as is was are were be been has have had it its this that der
die das und le la les de du des et el los las y en o e i il lo
"""
SMALL_WORDS = frozenset(_SMALL_WORDS.split())
